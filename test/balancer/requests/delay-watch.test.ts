import t, { type Test } from 'tap'
import { defaultOptions } from '#balancer'
import { ClientLedger } from '#balancer/ledger/client-ledger.js'
import type { ClientAccount } from '#balancer/ledger/client-account.js'
import { DelayWatch } from '#balancer/requests/delay-watch.js'
import { TargetPool } from '#balancer/targets/target-pool.js'
import type { Target } from '#balancer/targets/target.js'
import { FakeClock } from '../../helpers/fake-clock.js'
import { FakeRequest, NoTransport } from '../../helpers/fake-pool.js'

const HOG = '192.0.2.1'
const POLITE = '192.0.2.2'
const PLACES = 256
const CHECK_MS = 20

class SlowTransport extends NoTransport {
  delayMs = 0
  answers = true

  override ping(answered: () => void): boolean {
    if (this.answers) setTimeout(answered, this.delayMs)
    return true
  }
}

class Stage {
  readonly clock: FakeClock
  readonly transport = new SlowTransport()
  readonly pool = new TargetPool(defaultOptions)
  readonly target: Target
  readonly ledger: ClientLedger
  readonly watch: DelayWatch
  more = 0

  constructor(t: Test) {
    this.clock = new FakeClock(t)
    const some = (): number => PLACES
    this.ledger = new ClientLedger({ connections: some, places: some, polls: some, parsedBytes: some, heldBytes: some })
    this.target = this.pool.add('a', this.transport)
    this.target.markReady()
    this.watch = new DelayWatch(this.pool, this.ledger.resources.places, () => (this.more += 1))
  }

  get limit(): number {
    return this.ledger.resources.places.mostOfOne
  }

  ask(address: string, count = 1): ClientAccount {
    const account = this.ledger.accountOf(address)
    for (let i = 0; i < count; i += 1) {
      this.watch.arrived(account)
      if (!account.places.take()) continue
      this.target.begin(Object.assign(new FakeRequest(), { account }))
    }
    return account
  }
}

void t.test('a client that delays others gets as many places as cause the delay that is allowed', t => {
  const stage = new Stage(t)
  const { clock, transport } = stage
  transport.delayMs = 400
  stage.ask(POLITE)
  const hog = stage.ask(HOG, 100)
  t.equal(hog.places.held, 4, 'as many as are tried at first')
  clock.advance(500)
  t.equal(stage.limit, 1)
  t.notOk(hog.places.mayTake())
  t.ok(stage.ledger.accountOf('192.0.2.3').places.mayTake(), 'not another')
  clock.advance(500)
  t.ok(stage.more > 0, 'waiting requests are looked at again')
  stage.watch.stop()
  t.equal(stage.limit, Infinity)
  t.end()
})

void t.test('the requests of a client are not cut back for another one before they delay anybody', t => {
  const stage = new Stage(t)
  const { clock, transport } = stage
  stage.ask(HOG, 50)
  stage.ask(POLITE)
  stage.ask(HOG)
  t.equal(stage.limit, 50)
  transport.delayMs = 400
  clock.advance(500)
  t.ok(stage.limit < 20, 'the number that causes the delay that is wanted')
  stage.watch.stop()
  t.end()
})

void t.test('a client that is alone is not limited, however long the delay', t => {
  const stage = new Stage(t)
  stage.transport.delayMs = 400
  const hog = stage.ask(HOG, 100)
  t.equal(stage.clock.pending, 0, 'nobody measures')
  stage.clock.advance(2_000)
  t.ok(hog.places.mayTake())
  t.end()
})

void t.test('requests that take a second wait for something else, and do not count', t => {
  const stage = new Stage(t)
  stage.transport.delayMs = 100
  stage.ask(POLITE)
  const hog = stage.ask(HOG, 100)
  for (let i = 0; i < 20; i += 1) {
    stage.clock.advance(CHECK_MS)
    stage.ask(HOG)
    stage.ask(POLITE)
  }
  t.notOk(hog.places.mayTake())
  for (let i = 0; i < 50; i += 1) {
    stage.clock.advance(CHECK_MS)
    stage.watch.arrived(hog)
  }
  t.ok(stage.limit < 10)
  t.ok(hog.places.mayTake())
  stage.watch.stop()
  t.equal(hog.places.exempt, 0)
  t.end()
})

void t.test('measuring stops once all clients have little, or one is alone', t => {
  const stage = new Stage(t)
  stage.ask(POLITE)
  stage.ask(HOG, 5)
  t.not(stage.clock.pending, 0)
  stage.clock.advance(3_000)
  t.equal(stage.clock.pending, 0)
  t.equal(stage.limit, Infinity)
  t.ok(stage.ledger.resources.places.isContended, 'others have just been there')
  stage.clock.advance(10_000)
  stage.ask(HOG)
  t.notOk(stage.ledger.resources.places.isContended)
  t.end()
})

void t.test('nobody is limited for long by targets whose delay is not known', t => {
  const stage = new Stage(t)
  stage.transport.answers = false
  stage.ask(POLITE)
  const hog = stage.ask(HOG, 100)
  t.notOk(hog.places.mayTake())
  for (let i = 0; i < 60; i += 1) {
    stage.clock.advance(CHECK_MS)
    stage.ask(HOG)
  }
  t.equal(stage.limit, Infinity)
  t.ok(hog.places.held > 4)
  stage.watch.stop()
  t.end()
})

import t from 'tap'
import { fewestInFlight, type Pickable } from '#balancer/targets/pick.js'
import { delayOf, TargetDelay } from '#balancer/targets/target-delay.js'
import { ClientLimit, type Findings } from '#balancer/ledger/client-limit.js'

const CHECK_MS = 20
const TARGETS = 2
const SIMULATED_MS = 20_000
/** The hog opens so many connections in a millisecond. */
const OPENED = 1 / 2

interface Story {
  /** How long a request of the hog keeps the event loop of its target busy, and one of the polite client. */
  hogMs: number
  politeMs: number
  connections: number
  /** It stops for as long as it floods, again and again. */
  pulseMs?: number
}

interface Outcome {
  /** Of the polite client. */
  p99: number
  /** The part of the time in which the targets were busy. */
  busy: number
  limit: number
}

/** The event loop of a target: works off what has come, in turns, each turn what there is at its beginning. */
class Loop implements Pickable {
  readonly full = false
  readonly readySince = 0
  inFlight = 0
  busyMs = 0
  #queue: { costMs: number; done: () => void }[] = []
  #turn: { costMs: number; done: () => void }[] = []
  #turnEnds = 0

  /** @param done called at the end of its turn */
  send(costMs: number, done: () => void): true {
    this.inFlight += 1
    this.#queue.push({ costMs, done })
    return true
  }

  run(now: number): void {
    if (now < this.#turnEnds) return
    this.inFlight -= this.#turn.length
    for (const { done } of this.#turn) done()
    this.#turn = this.#queue
    this.#queue = []
    const ms = this.#turn.reduce((sum, { costMs }) => sum + costMs, 0)
    this.busyMs += ms
    this.#turnEnds = now + ms
  }
}

/** A hog sends on each connection one request after the other, as far as the limit lets it, and a polite client one each 20 ms. */
function simulate(
  { hogMs, politeMs, connections, pulseMs = SIMULATED_MS }: Story,
  limit: Pick<ClientLimit, 'observe' | 'value'>,
): Outcome {
  const loops = Array.from({ length: TARGETS }, () => new Loop())
  const waits: number[] = []
  let now = 0
  const delays = loops.map(loop => new TargetDelay({ ping: done => loop.send(0, done) }, () => now))
  let inFlight = 0
  let turn = 0
  let isReached = false
  const next = (): Loop => {
    turn += 1
    return loops[fewestInFlight(loops, turn % TARGETS)] as Loop
  }
  for (; now < SIMULATED_MS; now += 1) {
    for (const loop of loops) loop.run(now)
    const wants = Math.floor(now / pulseMs) % 2 === 0 ? Math.min(connections, (now % pulseMs) * OPENED) : 0
    isReached ||= wants > limit.value
    while (inFlight < Math.min(wants, limit.value)) {
      inFlight += 1
      next().send(hogMs, () => (inFlight -= 1))
    }
    if (now % CHECK_MS === 0) {
      const sentAt = now
      next().send(politeMs, () => waits.push(now - sentAt))
      const delay = delayOf(delays.map(({ current }) => current).filter(each => each !== undefined))
      for (const each of delays) each.measure(inFlight)
      if (delay !== undefined) {
        limit.observe({ delayMs: delay.ms, most: delay.beside, least: TARGETS, isReached })
        isReached = false
      }
    }
  }
  waits.sort((a, b) => a - b)
  const busyMs = loops.reduce((sum, loop) => sum + loop.busyMs, 0)
  return {
    p99: waits[Math.floor(0.99 * waits.length)] ?? 0,
    busy: busyMs / TARGETS / SIMULATED_MS,
    limit: limit.value,
  }
}

const UNLIMITED = { value: Infinity, observe: () => undefined }

for (const hogMs of [2, 5, 10, 20]) {
  void t.test(
    `beside a hog whose requests take ${hogMs} ms, others wait for a few of them, and all time is used`,
    t => {
      const story = { hogMs, politeMs: 1, connections: 200 }
      const without = simulate(story, UNLIMITED)
      const saw = simulate(story, new ClientLimit())
      t.comment(JSON.stringify({ without, saw }))
      t.ok(without.p99 > 190, 'the hog would delay others')
      t.ok(saw.p99 <= 100, `p99 ${saw.p99} ms`)
      t.ok(saw.busy > 0.8, `${saw.busy} of the time`)
      t.end()
    },
  )
}

void t.test('a hog that comes in pulses delays others no more', t => {
  const { p99 } = simulate({ hogMs: 10, politeMs: 1, connections: 200, pulseMs: 2_000 }, new ClientLimit())
  t.ok(p99 < 150, `p99 ${p99} ms`)
  t.end()
})

void t.test('requests that take 60 ms each come one at a time to each target', t => {
  const { p99, limit } = simulate({ hogMs: 60, politeMs: 1, connections: 100 }, new ClientLimit())
  t.ok(p99 < 200, `p99 ${p99} ms`)
  t.equal(limit, TARGETS)
  t.end()
})

void t.test('a client that asks for much that takes no time is not limited', t => {
  const { limit } = simulate({ hogMs: 0.1, politeMs: 0.1, connections: 200 }, new ClientLimit())
  t.ok(limit >= 200, `${limit}`)
  t.end()
})

void t.test('the limit goes when delays are short again', t => {
  const limit = new ClientLimit()
  const found: Findings = { delayMs: 0, most: 100, least: TARGETS, isReached: true }
  t.equal(limit.value, Infinity, 'nothing is known yet')
  limit.observe({ ...found, delayMs: 800 })
  t.equal(limit.value, 5, 'the number that causes the delay that is wanted')
  limit.observe({ ...found, delayMs: 800 })
  t.equal(limit.value, 5, 'the same finding changes nothing')
  limit.observe({ ...found, delayMs: 10_000 })
  t.equal(limit.value, 2, 'never less than one for each target')
  limit.observe({ ...found, delayMs: 30 })
  t.equal(limit.value, 2, 'it stays as long as delays are as wanted')
  limit.observe({ ...found, delayMs: 1, isReached: false })
  t.equal(limit.value, 2, 'it stays as long as nobody wants more')
  for (let i = 0; i < 200; i += 1) limit.observe({ ...found, delayMs: 1 })
  t.equal(limit.value, Infinity)
  t.end()
})

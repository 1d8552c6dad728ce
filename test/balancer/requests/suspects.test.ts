import t, { type Test } from 'tap'
import { until } from '../../helpers/deadline.js'
import { FakeTarget, type TargetHandler } from '../../helpers/fake-target.js'
import { requestBytes, type RawConnection } from '../../helpers/raw-http.js'
import { RunningBalancer } from '../../helpers/running-balancer.js'

const NAMES = ['a', 'b', 'c', 'd']

/** Four targets that end of `/bug` and hold everything else back until they are told to answer. */
async function targetsWithABug(t: Test, answering = true): Promise<{ targets: FakeTarget[]; release: () => void }> {
  const held: Array<() => void> = []
  let open = answering
  const handler =
    (kill: () => void): TargetHandler =>
    ({ url }, response) => {
      if (url?.startsWith('/bug') === true) kill()
      else if (open) response.end('good')
      else held.push(() => response.end('good'))
    }
  const targets: FakeTarget[] = []
  for (const name of NAMES) {
    const target: FakeTarget = await FakeTarget.start(
      t,
      name,
      handler(() => void target.kill()),
    )
    targets.push(target)
  }
  const release = (): void => {
    open = true
    for (const answer of held.splice(0)) answer()
  }
  return { targets, release }
}

const ended = (targets: FakeTarget[], fault: boolean): Array<{ id: string; fault: boolean }> =>
  targets.map(({ name }) => ({ id: name, fault }))
const specs = (targets: FakeTarget[]): Array<FakeTarget['spec']> => targets.map(({ spec }) => spec)
const hadBug = ({ requests }: FakeTarget): boolean => requests.some(({ url }) => url === '/bug')

void t.test('a request that ends two targets is answered 502, for any number of targets', async t => {
  const { targets } = await targetsWithABug(t)
  const running = await RunningBalancer.start(t, targets)
  const client = await running.connect()
  client.write(requestBytes('GET /bug'))
  await until(() => targets.filter(hadBug).length === 2, 'the second try')
  running.balancer.setTargets(specs(targets), 1, ended(targets.filter(hadBug), true))
  t.equal((await client.response()).status, 502)
  t.equal(targets.filter(hadBug).length, 2)
  await running.quiet(1)
})

void t.test('without a report of how the targets ended, the answer is the same a moment later', async t => {
  const { targets } = await targetsWithABug(t)
  const running = await RunningBalancer.start(t, targets)
  const client = await running.connect()
  t.equal((await client.write(requestBytes('GET /bug')).response()).status, 502)
  t.equal(targets.filter(hadBug).length, 2)
})

void t.test('a request whose targets were killed is tried again', async t => {
  const { targets } = await targetsWithABug(t)
  const running = await RunningBalancer.start(t, targets)
  const client = await running.connect()
  client.write(requestBytes('GET /bug'))
  await until(() => targets.filter(hadBug).length === 2, 'the second try')
  running.balancer.setTargets(specs(targets), 1, ended(targets.filter(hadBug), false))
  await until(() => targets.filter(hadBug).length > 2, 'the third try')
})

/** Sends requests, each of a client of its own, until each of four targets has six. */
async function sixAtEach(running: RunningBalancer, targets: readonly FakeTarget[]): Promise<RawConnection[]> {
  const clients = []
  for (let i = 0; i < 24; i += 1) {
    const client = await running.connect()
    client.write(requestBytes(`GET /page${i}`))
    clients.push(client)
  }
  await until(() => targets.every(({ requests }) => requests.length === 6), 'all to be with their targets')
  return clients
}

void t.test('requests whose target ended are tried one at a time at each of the others', async t => {
  const { targets, release } = await targetsWithABug(t, false)
  const running = await RunningBalancer.start(t, targets)
  const clients = await sixAtEach(running, targets)
  const [first, ...others] = targets as [FakeTarget, ...FakeTarget[]]
  await first.kill()
  await until(() => others.every(({ requests }) => requests.length === 7), 'one of the first target at each')
  t.equal(running.balancer.ledger().waiting, 3)
  release()
  for (const client of clients) t.equal((await client.response()).status, 200)
  t.strictSame(
    others.map(({ requests }) => requests.length),
    [8, 8, 8],
  )
})

void t.test('requests whose target was killed do not wait for their turn', async t => {
  const { targets, release } = await targetsWithABug(t, false)
  const running = await RunningBalancer.start(t, targets)
  const clients = await sixAtEach(running, targets)
  const [first, ...others] = targets as [FakeTarget, ...FakeTarget[]]
  await first.kill()
  running.balancer.setTargets(specs(others), 1, ended([first], false))
  await until(() => others.reduce((sum, { requests }) => sum + requests.length, 0) === 24, 'all of them elsewhere')
  release()
  for (const client of clients) t.equal((await client.response()).status, 200)
})

void t.test('a request that another balancer has cleared is tried again', async t => {
  const { targets } = await targetsWithABug(t)
  const running = await RunningBalancer.start(t, targets)
  running.balancer.setTargets(specs(targets), 2)
  const client = await running.connect()
  client.write(requestBytes('GET /bug'))
  await until(() => targets.filter(hadBug).length === 2, 'the second try')
  const two = targets.filter(hadBug)
  running.balancer.setTargets(specs(targets), 2, ended(two, true))
  running.balancer.setTargets(
    specs(targets),
    2,
    ended(two, true).map(each => ({ ...each, explained: true })),
  )
  await until(() => targets.filter(hadBug).length > 2, 'the third try')
})

void t.test('a request that no other balancer clears is answered 502, and at once when its kind is known', async t => {
  const { targets } = await targetsWithABug(t)
  const running = await RunningBalancer.start(t, targets)
  running.balancer.setTargets(specs(targets), 2)
  const client = await running.connect()
  t.equal((await client.write(requestBytes('GET /bug')).response()).status, 502)
  t.equal(targets.filter(hadBug).length, 2)
  const answered = client.write(requestBytes('GET /bug')).response()
  await until(() => targets.filter(hadBug).length === 3, 'the next of its kind')
  running.balancer.setTargets(specs(targets), 2, ended(targets, true))
  t.equal((await answered).status, 502)
})

void t.test('a client that leaves while its request waits for its turn leaves nothing behind', async t => {
  const { targets, release } = await targetsWithABug(t, false)
  const running = await RunningBalancer.start(t, targets.slice(0, 2))
  const clients = []
  for (let i = 0; i < 6; i += 1) {
    const client = await running.connect()
    client.write(requestBytes(`GET /page${i}`))
    clients.push(client)
  }
  const [first, second] = targets as [FakeTarget, FakeTarget]
  await until(() => first.requests.length === 3 && second.requests.length === 3, 'all to be with their targets')
  await first.kill()
  await until(() => second.requests.length === 4, 'the first second try')
  t.equal(running.balancer.ledger().waiting, 2)
  for (const client of clients) client.destroy()
  await running.quiet()
  release()
})

void t.test('the request is not the reason why a target cannot be reached', async t => {
  const { targets, release } = await targetsWithABug(t, false)
  const [gone, ...others] = targets as [FakeTarget, ...FakeTarget[]]
  const running = await RunningBalancer.start(t, targets)
  // Nobody listens there any more, but no probe and no request has found that out.
  await gone.kill()
  const clients = await Promise.all(targets.map(() => running.connect()))
  for (const client of clients) client.write(requestBytes('GET /page'))
  const hasTwo = ({ requests }: FakeTarget): boolean => requests.length === 2
  await until(() => others.some(hasTwo), 'the request of the missing target at another one')
  // For this request it is the first that may have ended of it.
  await others.find(hasTwo)?.kill()
  release()
  for (const client of clients) t.equal((await client.response()).status, 200)
  t.strictSame(running.fatal, [])
})

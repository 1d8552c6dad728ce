import t from 'tap'
import { SessionNames } from '#balancer/contract/session-names.js'
import { until } from '../helpers/deadline.js'
import { FakeTarget } from '../helpers/fake-target.js'
import { RawConnection, rawExchange, requestBytes } from '../helpers/raw-http.js'
import { RunningBalancer } from '../helpers/running-balancer.js'

const HOG = '127.0.0.2'
const MAX = 16
const identityKey = 'key'

type Tap = Parameters<typeof FakeTarget.start>[0]

async function two(t: Tap): Promise<[FakeTarget, FakeTarget]> {
  const start = (name: string): Promise<FakeTarget> =>
    FakeTarget.start(t, name, (request, response) => {
      if (request.url?.startsWith('/wait') !== true) response.setHeader('x-target', name).end()
    })
  return [await start('a'), await start('b')]
}

/** Requests of another client that are not answered. */
async function hog(
  t: Tap,
  { port }: RunningBalancer,
  count: number,
  bytes: string,
  from = HOG,
): Promise<RawConnection[]> {
  const hogs = await Promise.all(Array.from({ length: count }, () => RawConnection.open(port, from)))
  t.teardown(() => hogs.forEach(each => each.destroy()))
  for (const each of hogs) each.write(bytes)
  return hogs
}

void t.test('a client that keeps the target of its cookie busy leaves it to others who belong there', async t => {
  const [a, b] = await two(t)
  const running = await RunningBalancer.start(t, [a, b], { sticky: 'cookie', maxInFlight: MAX })
  const first = await rawExchange(running.port, requestBytes('GET /'))
  const cookie = `Cookie: ${first.headers['set-cookie']?.split(';')[0] ?? ''}`
  const [own, other] = first.headers['x-target'] === 'a' ? [a, b] : [b, a]
  // Its share of all places is as much as one target has.
  await hog(t, running, MAX, requestBytes('GET /wait', [cookie]))
  await until(() => own.requests.length + other.requests.length === MAX + 1, 'all to be at the targets')
  t.equal(other.requests.length, MAX / 2, 'half of them had to go elsewhere')
  for (let i = 0; i < 5; i += 1) {
    const answer = await rawExchange(running.port, requestBytes('GET /', [cookie]))
    t.match(answer, { status: 200, headers: { 'x-target': own.name } })
  }
})

void t.test('when clients that came one after the other have all polls of a target, a new one is served', async t => {
  const [a] = await two(t)
  const running = await RunningBalancer.start(t, [a], { identityKey, maxBound: MAX })
  const named = new SessionNames(identityKey).write('0{"sid":"lv_VI97HAXpY6yYWAAAC"}', 'a')
  const query = `EIO=4&transport=polling&sid=${/"sid":"([^"]*)"/.exec(named)?.[1] ?? ''}`
  const hogs: RawConnection[] = []
  for (let last = 2; a.requests.length < MAX; last += 1) {
    const before = a.requests.length
    hogs.push(...(await hog(t, running, MAX, requestBytes(`GET /wait?${query}`), `127.0.0.${last}`)))
    await until(() => a.requests.length > before, 'some to be there')
    await until(
      () => hogs.filter(({ unread }) => unread.includes('503')).length + a.requests.length === hogs.length,
      'all',
    )
  }
  const served = async (): Promise<boolean> =>
    (await rawExchange(running.port, requestBytes(`GET /page?${query}`))).status === 200
  await until(served, 'the new client to be served')
  const ended = hogs.flatMap(({ unread }, i) => (unread.toString().endsWith('\r\n\r\n1') ? [i] : []))
  t.ok(ended.length === 1 && ended[0]! < MAX, 'the client with most has lost a session')
})

void t.test('a client that has all polls of a target leaves some to other sessions there', async t => {
  const [a, b] = await two(t)
  const running = await RunningBalancer.start(t, [a, b], { identityKey, maxBound: MAX })
  const named = new SessionNames(identityKey).write('0{"sid":"lv_VI97HAXpY6yYWAAAC"}', 'a')
  const query = `EIO=4&transport=polling&sid=${/"sid":"([^"]*)"/.exec(named)?.[1] ?? ''}`
  const hogs = await hog(t, running, MAX, requestBytes(`GET /wait?${query}`))
  await until(() => a.requests.length === MAX / 2, 'half of them to be there')
  await until(() => hogs.filter(({ unread }) => unread.includes('503')).length === MAX / 2, 'the others to be refused')
  const answer = await rawExchange(running.port, requestBytes(`GET /page?${query}`))
  t.match(answer, { status: 200, headers: { 'x-target': 'a' } })
  t.equal(b.requests.length, 0)
})

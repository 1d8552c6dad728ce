import type { IncomingMessage, ServerResponse } from 'node:http'
import t, { type Test } from 'tap'
import { until } from '../helpers/deadline.js'
import { FakeTarget } from '../helpers/fake-target.js'
import { RawConnection, rawExchange, requestBytes } from '../helpers/raw-http.js'
import { RunningBalancer } from '../helpers/running-balancer.js'
import { UPGRADE_HEADERS } from '../helpers/websocket.js'

const MAX = 32
const HOGS = Array.from({ length: 6 }, (_, i) => `127.0.0.${i + 2}`)
const PAGE = requestBytes('GET /page', ['Connection: close'])

function answer({ url }: IncomingMessage, response: ServerResponse): void {
  if (url === '/page') response.end('a page')
}

const settings = {
  'behind a socket': async (t: Test, maxInFlight = MAX): Promise<RunningBalancer> => {
    const target = await FakeTarget.start(t, 'a', answer, { onUpgrade: () => undefined })
    return RunningBalancer.start(t, [target], { maxInFlight })
  },
  'in the same process': async (t: Test, maxInFlight = MAX): Promise<RunningBalancer> => {
    const running = await RunningBalancer.start(t, [], { maxInFlight })
    running.balancer.setLocal('a', { handleRequest: answer, upgrades: () => true, handleUpgrade: () => undefined })
    return running
  },
}

/** One client after the other asks for more than it can get, until no place is left. */
async function fill(
  t: Test,
  { port, balancer }: RunningBalancer,
  bytes: string,
): Promise<Map<string, RawConnection[]>> {
  const hogs = new Map<string, RawConnection[]>()
  let asked = 0
  const ask = async (from: string, count: number): Promise<void> => {
    const own = await Promise.all(Array.from({ length: count }, () => RawConnection.open(port, from)))
    t.teardown(() => own.forEach(each => each.destroy()))
    for (const each of own) each.write(bytes)
    hogs.set(from, own)
    asked += count
    const known = (): number => {
      const { inFlight, waiting } = balancer.ledger()
      return inFlight + waiting + [...hogs.values()].flat().filter(({ unread }) => unread.length > 0).length
    }
    await until(() => known() >= asked, 'all its requests to be in flight, or to wait')
  }
  for (const from of HOGS) await ask(from, MAX)
  // Those that share the places from the start leave some, which none of them may take, but a newcomer may.
  for (let i = HOGS.length + 2; balancer.ledger().inFlight < MAX; i += 1) await ask(`127.0.0.${i}`, 1)
  return hogs
}

/** Of those that the app may have carried out, none is told to try again. */
const CODES = { GET: 'OVERLOADED', POST: 'UPSTREAM_TIMEOUT' }
const refusedOf = (clients: readonly RawConnection[], code: string): number =>
  clients.filter(({ unread }) => unread.includes(code)).length

for (const [where, start] of Object.entries(settings)) {
  for (const [method, code] of Object.entries(CODES)) {
    const bytes = requestBytes(`${method} /hang`, [], method === 'POST' ? 'a body' : '')
    void t.test(`when the ${method}s of others hang at all places, a new client is served, ${where}`, async t => {
      const running = await start(t)
      const hogs = await fill(t, running, bytes)
      const served = async (): Promise<boolean> => (await rawExchange(running.port, PAGE)).status === 200
      await until(served, 'the new client to get a place')
      for (let i = 0; i < 20; i += 1) t.equal((await rawExchange(running.port, PAGE)).status, 200)
      t.equal(running.balancer.ledger().inFlight, MAX - 1, 'no more was given up than that')
      // The last of them have little, too, and may have got a place in the same way; on a busy machine the others as well.
      const [most, next] = ['127.0.0.2', '127.0.0.3'].map(hog => refusedOf(hogs.get(hog)!, code)) as [number, number]
      t.ok(most >= 1 && most >= next, `the client with most has lost ${most}, the next one ${next}`)
    })
  }
}

for (const where of ['behind a socket', 'in the same process'] as const) {
  void t.test(`POSTs of others that hang leave places, for a new client at once, ${where}`, async t => {
    const running = await settings[where](t, 4 * MAX)
    const hogs: RawConnection[] = []
    for (const from of HOGS) {
      const own = await Promise.all(Array.from({ length: 2 * MAX + 8 }, () => RawConnection.open(running.port, from)))
      t.teardown(() => own.forEach(each => each.destroy()))
      for (const each of own) each.write(requestBytes('POST /hang', [], 'a body'))
      const held = running.balancer.ledger().inFlight
      await until(() => running.balancer.ledger().inFlight > held, 'requests to be in flight')
      hogs.push(...own)
    }
    await until(() => running.balancer.ledger().waiting > 0, 'requests of those to wait')
    for (let i = 0; i < 20; i += 1) t.equal((await rawExchange(running.port, PAGE)).status, 200)
    t.equal(hogs.filter(({ ended }) => ended).length, 0, 'nobody has lost anything for it')
  })
}

void t.test('when the handshakes of others hang at all places, a new client is served', async t => {
  const running = await settings['behind a socket'](t)
  await fill(t, running, requestBytes('GET /hang', UPGRADE_HEADERS))
  const served = async (): Promise<boolean> => (await rawExchange(running.port, PAGE)).status === 200
  await until(served, 'the new client to get a place')
})

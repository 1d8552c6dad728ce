import t from 'tap'
import type { TargetSpec } from '#balancer'
import { previewTokenOf } from '#balancer/contract/preview-token.js'
import { until } from '../helpers/deadline.js'
import { FakeTarget } from '../helpers/fake-target.js'
import { requestBytes, type RawConnection } from '../helpers/raw-http.js'
import { RunningBalancer } from '../helpers/running-balancer.js'
import { UPGRADE_HEADERS } from '../helpers/websocket.js'

const KEY = 'key'
const TOKEN = previewTokenOf('r2', KEY)

interface Given {
  running: RunningBalancer
  client: RawConnection
  live: FakeTarget
  looked: FakeTarget
  specs: TargetSpec[]
}

async function given(t: Parameters<typeof FakeTarget.start>[0]): Promise<Given> {
  const [live, looked] = [await FakeTarget.start(t, 'live'), await FakeTarget.start(t, 'looked')]
  const running = await RunningBalancer.start(t, [live, looked], { identityKey: KEY, holdMs: 10_000 })
  const specs = [live.spec, { ...looked.spec, release: 'r2', share: 0 }]
  running.balancer.setTargets(specs)
  running.balancer.setEdge({ preview: { release: 'r2', token: TOKEN } })
  return { running, client: await running.connect(), live, looked, specs }
}

/** Which target answers. */
async function answererOf(client: RawConnection, head: string[], line = 'GET /'): Promise<string> {
  const { headers } = await client.write(requestBytes(line, head)).response()
  return String(headers['x-target'])
}

void t.test('only clients that ask for a release in preview get it', async t => {
  const { client, running } = await given(t)
  for (let i = 0; i < 6; i += 1) t.equal(await answererOf(client, []), 'live')
  for (let i = 0; i < 6; i += 1) t.equal(await answererOf(client, [`Cookie: a=b; outpost_preview=${TOKEN}`]), 'looked')
  running.balancer.setEdge({})
  t.equal(await answererOf(client, [`Cookie: outpost_preview=${TOKEN}`]), 'live', 'once it is over')
})

void t.test('the host name of a preview leads to its release', async t => {
  const { running } = await given(t)
  const hosted = async (host: string): Promise<string> => {
    const client = await running.connect()
    const { headers } = await client.write(`GET / HTTP/1.1\r\nHost: ${host}\r\n\r\n`).response()
    return String(headers['x-target'])
  }
  t.strictSame(
    [await hosted('r2.preview.shop.example'), await hosted('R2.Preview.localhost:3000')],
    ['looked', 'looked'],
  )
  t.strictSame([await hosted('r3.preview.shop.example'), await hosted('shop.example')], ['live', 'live'])
})

void t.test('a cookie that was not given by its link leads nowhere', async t => {
  const { client } = await given(t)
  const forged = [
    'r2',
    `r2.${'A'.repeat(32)}`,
    previewTokenOf('r2', 'another key'),
    previewTokenOf('r3', KEY),
    `${TOKEN}x`,
  ]
  for (const value of forged) t.equal(await answererOf(client, [`Cookie: outpost_preview=${value}`]), 'live', value)
})

void t.test('the link sets the cookie, and leads on without its token', async t => {
  const { client, live, looked } = await given(t)
  const answer = await client.write(requestBytes(`GET /cart?a=1&outpost_preview=${TOKEN}&b=2`)).response()
  t.match(answer, { status: 303, headers: { location: '/cart?a=1&b=2', 'cache-control': 'no-store' } })
  t.equal(
    String(answer.headers['set-cookie']),
    `outpost_preview=${TOKEN}; Path=/; HttpOnly; SameSite=Lax; Max-Age=86400`,
  )
  const elsewhere = await client.write(requestBytes(`GET //evil.example/?outpost_preview=${TOKEN}`)).response()
  t.equal(elsewhere.headers['location'], '/evil.example/')
  t.equal(live.requests.length + looked.requests.length, 0)
  const wrong = await client.write(requestBytes(`GET /?outpost_preview=r2.${'A'.repeat(32)}`)).response()
  t.match(wrong, { status: 200, headers: { 'x-target': 'live', 'set-cookie': undefined } })
  t.equal(await answererOf(client, [], `POST /?outpost_preview=${TOKEN}`), 'live', 'it is for links only')
})

void t.test('a client in a preview gets no other release, even while no worker runs it', async t => {
  const { running, client, live, looked, specs } = await given(t)
  running.balancer.setTargets(specs.slice(0, 1))
  client.write(requestBytes('GET /', [`Cookie: outpost_preview=${TOKEN}`]))
  const upgrade = await running.connect()
  upgrade.write(requestBytes('GET /', [...UPGRADE_HEADERS, `Cookie: outpost_preview=${TOKEN}`]))
  await until(() => running.balancer.ledger().waiting === 2, 'both to wait')
  t.equal(live.requests.length, 0)
  running.balancer.setTargets(specs)
  t.equal((await client.response()).headers['x-target'], 'looked')
  await until(() => looked.requests.length === 2, 'the upgrade to arrive')
  t.equal(live.requests.length, 0)
})

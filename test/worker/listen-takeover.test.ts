import { once } from 'node:events'
import http from 'node:http'
import net, { type AddressInfo } from 'node:net'
import t, { type Test } from 'tap'
import { ListenTakeover } from '#src/worker/listen-takeover.js'
import { within } from '../helpers/deadline.js'
import { socketPathFor } from '../helpers/fake-target.js'
import { rawExchange, requestBytes } from '../helpers/raw-http.js'

const PUBLIC_PORT = 3_000

/** The takeover, installed for one test. Other tests listen for real. */
function install(t: Test): { takeover: ListenTakeover; socketPath: string } {
  // eslint-disable-next-line @typescript-eslint/unbound-method -- put back as it was
  const { listen } = net.Server.prototype
  t.teardown(() => (net.Server.prototype.listen = listen))
  const socketPath = socketPathFor(t)
  const takeover = new ListenTakeover({ socketPath, publicPort: PUBLIC_PORT })
  takeover.install()
  return { takeover, socketPath }
}

function server(t: Test): http.Server {
  const server = http.createServer((_request, response) => response.end('from the app'))
  t.teardown(() => server.close())
  return server
}

const forms: Array<[form: string, listen: (server: http.Server, listening: () => void) => http.Server]> = [
  ['a port', (server, listening) => server.listen(8_080, listening)],
  ['any port', (server, listening) => server.listen(0, listening)],
  ['the text of a port, as it stands in the environment', (server, listening) => server.listen('8080', listening)],
  ['port and host', (server, listening) => server.listen(8_080, '0.0.0.0', listening)],
  ['port, host and backlog', (server, listening) => server.listen(8_080, '::', 511, listening)],
  ['options', (server, listening) => server.listen({ port: 8_080, host: '127.0.0.1' }, listening)],
  ['nothing', (server, listening) => server.listen(listening)],
  ['an undefined port', (server, listening) => server.listen(undefined, listening)],
]

for (const [form, listen] of forms) {
  void t.test(`an app that listens on ${form} is served at the worker's socket`, async t => {
    const { takeover, socketPath } = install(t)
    const app = server(t)
    t.notOk(takeover.hasTaken)
    const told = new Promise<void>(resolve => t.equal(listen(app, resolve), app))
    t.ok(takeover.hasTaken)
    await within(told, 'its call back')
    t.equal(await takeover.taken, app)
    t.match(await rawExchange(socketPath, requestBytes('GET /')), { status: 200, body: Buffer.from('from the app') })
    t.match(app.address(), { port: PUBLIC_PORT }, 'what it prints is where the balancers serve it')
  })
}

void t.test('a second listen of the app runs as it is', async t => {
  const { takeover, socketPath } = install(t)
  const [app, metrics] = [server(t), server(t)]
  app.listen(8_080)
  metrics.listen(0, '127.0.0.1')
  await once(metrics, 'listening')
  const { port } = metrics.address() as AddressInfo
  t.not(port, PUBLIC_PORT)
  t.equal((await rawExchange(port, requestBytes('GET /'))).status, 200)
  t.equal(await takeover.taken, app)
  t.equal((await rawExchange(socketPath, requestBytes('GET /'))).status, 200)
})

void t.test('listens that are not of a web server on a TCP port run as they are', async t => {
  const { takeover } = install(t)
  const [tcp, unix, named] = [net.createServer(), server(t), server(t)]
  t.teardown(() => tcp.close())
  tcp.listen(0, '127.0.0.1')
  unix.listen(socketPathFor(t))
  named.listen({ path: socketPathFor(t) })
  await Promise.all([tcp, unix, named].map(server => once(server, 'listening')))
  t.notOk(takeover.hasTaken)
})

void t.test('a listen after the worker has its server succeeds without effect', async t => {
  const { takeover, socketPath } = install(t)
  takeover.settle()
  const app = server(t)
  const order: string[] = []
  const listening = once(app, 'listening')
  app.listen(8_080, () => order.push('called back'))
  order.push('returned')
  await within(listening, 'the event')
  t.strictSame(order, ['returned', 'called back'])
  t.match(app.address(), { port: PUBLIC_PORT })
  await t.rejects(rawExchange(socketPath, requestBytes('GET /')), { code: 'ENOENT' })
})

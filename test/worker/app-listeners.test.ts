import { once } from 'node:events'
import http from 'node:http'
import http2 from 'node:http2'
import net, { type AddressInfo } from 'node:net'
import t, { type Test } from 'tap'
import { AppListeners } from '#src/worker/app-listeners.js'
import { cameBySideDoor } from '#src/worker/side-door.js'
import { within } from '../helpers/deadline.js'
import { FakeClock } from '../helpers/fake-clock.js'
import { socketPathFor } from '../helpers/fake-target.js'
import { rawExchange, requestBytes } from '../helpers/raw-http.js'

const PORT = 3_000

interface Installed {
  listeners: AppListeners
  socketPath: string
  published: http.Server[]
  remarks: string[]
}

/** Installed for one test; listens of all others are real. */
async function install(t: Test): Promise<Installed> {
  // eslint-disable-next-line @typescript-eslint/unbound-method -- put back as it was
  const { listen } = net.Server.prototype
  t.teardown(() => (net.Server.prototype.listen = listen))
  const socketPath = socketPathFor(t)
  const listeners = new AppListeners(PORT)
  const published: http.Server[] = []
  const remarks: string[] = []
  listeners.install()
  listeners.observe({ published: server => published.push(server), remarked: remark => remarks.push(remark) })
  await listeners.serve(socketPath)
  t.teardown(() => listeners.retire())
  return { listeners, socketPath, published, remarks }
}

function server(t: Test, text: string): http.Server {
  const server = http.createServer((_request, response) => response.end(text))
  t.teardown(() => server.close())
  return server
}

async function answer(target: string | number): Promise<string> {
  const { body } = await rawExchange(target, requestBytes('GET /', ['Connection: close']))
  return body.toString()
}

const portOf = (server: net.Server): number => (server.address() as AddressInfo).port

void t.test('a server that listens on PORT is public, and sees that port', async t => {
  const { socketPath, published } = await install(t)
  const app = server(t, 'app')
  const told = new Promise<void>(resolve => app.listen(String(PORT), resolve))
  t.ok(app.listening)
  await within(told, 'its callback')
  t.equal(portOf(app), PORT)
  t.strictSame(published, [app])
  t.equal(await answer(socketPath), 'app')
})

void t.test('the address that a server asks for with PORT is known, and seen by the server', async t => {
  const { listeners } = await install(t)
  const app = server(t, 'app').listen(PORT, '127.0.0.1')
  t.equal(listeners.host, '127.0.0.1')
  t.strictSame(app.address(), { address: '127.0.0.1', family: 'IPv4', port: PORT })
})

void t.test('a server without an address does not ask for one', async t => {
  const { listeners } = await install(t)
  const app = server(t, 'app').listen(PORT)
  t.equal(listeners.host, undefined)
  t.match(app.address(), { address: '::', family: 'IPv6' })
})

void t.test('a server on a loopback address is left to Node', async t => {
  const { listeners, published } = await install(t)
  const admin = server(t, 'admin').listen(0, '127.0.0.1')
  await once(admin, 'listening')
  listeners.decide()
  t.strictSame(published, [])
  t.equal(await answer(portOf(admin)), 'admin')
})

void t.test('a server on another port is open at once, and stays so when another listens on PORT', async t => {
  const { socketPath } = await install(t)
  const [metrics, app] = [server(t, 'metrics').listen(0), server(t, 'app')]
  await once(metrics, 'listening')
  t.equal(await answer(portOf(metrics)), 'metrics')
  app.listen(PORT)
  t.equal(await answer(socketPath), 'app')
  t.equal(await answer(portOf(metrics)), 'metrics')
})

void t.test('the first server on another port is public when none comes on PORT', async t => {
  const { listeners, socketPath, remarks } = await install(t)
  const [app, metrics] = [server(t, 'app').listen(0), server(t, 'metrics').listen(0)]
  listeners.decide()
  t.equal(await answer(socketPath), 'app')
  t.equal(await answer(portOf(metrics)), 'metrics')
  t.equal(await answer(portOf(app)), 'app')
  t.match(remarks, [/does not listen on PORT=3000: its listener on port 0 is served there/])
})

void t.test('only requests over its own port are marked so', async t => {
  const { listeners, socketPath } = await install(t)
  const app = http.createServer(({ socket }, response) => response.end(String(cameBySideDoor(socket)))).listen(0)
  t.teardown(() => app.close())
  listeners.decide()
  await once(app, 'listening')
  for (let i = 0; i < 2; i += 1) {
    t.equal(await answer(portOf(app)), 'true')
    t.equal(await answer(socketPath), 'false')
  }
  // A connection over its limit is dropped by Node, and the next one is not taken for it.
  const held = net.connect(portOf(app), '127.0.0.1')
  await once(app, 'connection')
  app.maxConnections = 1
  await t.rejects(answer(portOf(app)))
  app.maxConnections = 10
  held.destroy()
  t.equal(await answer(socketPath), 'false')
})

void t.test('a server whose own port is taken has its error, and may listen on the next', async t => {
  const { listeners, socketPath, published } = await install(t)
  const taken = server(t, 'taken').listen(0, '127.0.0.1')
  await once(taken, 'listening')
  const app = server(t, 'app').listen(portOf(taken))
  t.match(await once(app, 'error'), [{ code: 'EADDRINUSE' }])
  listeners.decide()
  t.strictSame(published, [])
  app.listen(0)
  t.equal(await answer(socketPath), 'app')
})

void t.test('a public server on a port of its own accepts nothing there once the worker retires', async t => {
  const { listeners, socketPath } = await install(t)
  const app = server(t, 'app').listen(0)
  await once(app, 'listening')
  listeners.decide()
  t.equal(await answer(socketPath), 'app')
  const port = portOf(app)
  listeners.retire()
  await t.rejects(answer(port), { code: 'ECONNREFUSED' })
  t.ok(app.listening)
  t.equal(await new Promise(resolve => app.close(resolve)), undefined)
})

void t.test('a listen on PORT replaces the export or other port that was served', async t => {
  const { listeners, socketPath, published } = await install(t)
  const [first, app] = [server(t, 'first').listen(0), server(t, 'app')]
  await once(first, 'listening')
  listeners.decide()
  t.equal(await answer(socketPath), 'first')
  app.listen(PORT)
  t.equal(await answer(socketPath), 'app')
  t.equal(await answer(portOf(first)), 'first')
  t.strictSame(published, [first, app])
})

void t.test('a listen on PORT takes the place of an exported server', async t => {
  const { listeners, socketPath } = await install(t)
  listeners.publish(server(t, 'exported'))
  t.equal(await answer(socketPath), 'exported')
  server(t, 'app').listen(PORT)
  t.equal(await answer(socketPath), 'app')
  listeners.publish(server(t, 'too late'))
  t.equal(await answer(socketPath), 'app')
})

void t.test('a further listen on PORT succeeds without effect', async t => {
  const { socketPath } = await install(t)
  server(t, 'app').listen(PORT)
  const second = server(t, 'second').listen(PORT)
  await once(second, 'listening')
  t.equal(await answer(socketPath), 'app')
})

void t.test('a server that was closed may listen again', async t => {
  const { socketPath } = await install(t)
  const app = server(t, 'app').listen(PORT)
  await once(app, 'listening')
  await new Promise(resolve => app.close(resolve))
  await t.rejects(answer(socketPath), { code: 'ENOENT' })
  app.listen(PORT)
  t.equal(await answer(socketPath), 'app')
})

void t.test('a probe of PORT finds it free', async t => {
  const { published } = await install(t)
  for (const host of [undefined, '127.0.0.1', '::']) {
    const probe = net.createServer().listen({ port: PORT, host })
    await once(probe, 'listening')
    await new Promise(resolve => probe.close(resolve))
  }
  t.strictSame(published, [])
})

void t.test('a server on PORT that speaks no HTTP is told what to do', async t => {
  await install(t)
  const advice = /PORT=3000 with (TCP|HTTP\/2), and Outpost serves HTTP there: listen with http.createServer/
  const [error] = (await once(http2.createServer().listen(PORT), 'error')) as [Error]
  t.match(error.message, advice)
  const clock = new FakeClock(t)
  const told = once(net.createServer().listen(PORT), 'error')
  clock.advance(1_000)
  t.match(((await told) as [Error])[0].message, advice)
})

void t.test('a unix path is left to Node, and remarked upon', async t => {
  const { remarks } = await install(t)
  const path = socketPathFor(t)
  await once(server(t, 'unix').listen(path), 'listening')
  t.equal(await answer(path), 'unix')
  t.match(remarks, [/which is not served: have it listen on PORT=3000/])
})

void t.test('a worker that retires accepts nothing more, and the app does not notice', async t => {
  const { listeners, socketPath } = await install(t)
  const app = server(t, 'app').listen(PORT)
  t.equal(await answer(socketPath), 'app')
  listeners.retire()
  await t.rejects(answer(socketPath), { code: 'ENOENT' })
  t.ok(app.listening)
  t.equal(await new Promise(resolve => app.close(resolve)), undefined)
})

void t.test('a signal that is aborted, before or after, closes the server as under node', async t => {
  await install(t)
  for (const isEarly of [true, false]) {
    const app = server(t, 'app')
    const controller = new AbortController()
    if (isEarly) controller.abort()
    let isTold = false
    app.on('listening', () => (isTold = true))
    app.listen({ port: PORT, signal: controller.signal })
    t.ok(app.listening)
    const closed = once(app, 'close')
    if (!isEarly) setImmediate(() => controller.abort())
    await within(closed, 'its end')
    t.notOk(app.listening)
    t.equal(isTold, !isEarly, 'one that is closed at once never says that it listens')
    app.listen(PORT)
    t.ok(app.listening, 'it may listen again')
  }
})

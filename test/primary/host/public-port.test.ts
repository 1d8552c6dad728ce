import { once } from 'node:events'
import net from 'node:net'
import t from 'tap'
import { PortError, PublicPort } from '#src/primary/host/public-port.js'

void t.test('port 0 binds a free port and reports its number', async t => {
  const port = await PublicPort.bind('127.0.0.1', 0)
  t.teardown(() => port.close())
  t.ok(port.port > 0)
})

void t.test('the public port accepts only once a process listens on it', async t => {
  const port = await PublicPort.bind('127.0.0.1', 0)
  t.teardown(() => port.close())
  const refused = net.connect(port.port, '127.0.0.1')
  const [error] = (await once(refused, 'error')) as [NodeJS.ErrnoException]
  t.equal(error.code, 'ECONNREFUSED')

  const server = net.createServer(socket => socket.end('hello')).listen(port.handle)
  t.teardown(() => server.close())
  const client = net.connect(port.port, '127.0.0.1')
  const [data] = (await once(client, 'data')) as [Buffer]
  t.equal(data.toString(), 'hello')
})

void t.test('without an address the port is bound on both families', async t => {
  const port = await PublicPort.bind(undefined, 0)
  t.teardown(() => port.close())
  t.equal(port.host, '::')
  const server = net.createServer(socket => socket.end('hello')).listen(port.handle)
  t.teardown(() => server.close())
  for (const host of ['127.0.0.1', '::1']) {
    const [data] = (await once(net.connect(port.port, host), 'data')) as [Buffer]
    t.equal(data.toString(), 'hello', host)
  }
})

void t.test('a port that nobody listens on yet can be moved to another address', async t => {
  const port = await PublicPort.bind(undefined, 0)
  t.teardown(() => port.close())
  await port.moveTo('127.0.0.1')
  t.equal(port.host, '127.0.0.1')
  const server = net.createServer(socket => socket.end('hello')).listen(port.handle)
  t.teardown(() => server.close())
  const [data] = (await once(net.connect(port.port, '127.0.0.1'), 'data')) as [Buffer]
  t.equal(data.toString(), 'hello')
  const [error] = (await once(net.connect(port.port, '::1'), 'error')) as [NodeJS.ErrnoException]
  t.equal(error.code, 'ECONNREFUSED')
})

void t.test('a port that cannot be bound is an error with the reason', async t => {
  const taken = net.createServer().listen(0, '127.0.0.1')
  await once(taken, 'listening')
  t.teardown(() => taken.close())
  const { port } = taken.address() as net.AddressInfo
  await t.rejects(PublicPort.bind('127.0.0.1', port), PortError)
  await t.rejects(PublicPort.bind('127.0.0.1', port), { message: new RegExp(`PORT=${port}.*taken`) })
  await t.rejects(PublicPort.bind('192.0.2.1', 0), { message: /HOST=192\.0\.2\.1.*does not have that address/ })
  await t.rejects(PublicPort.bind('no such host', 0), { message: /no such host/ })
})

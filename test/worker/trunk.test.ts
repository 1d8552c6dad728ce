import { AsyncLocalStorage } from 'node:async_hooks'
import { once } from 'node:events'
import http, { type IncomingMessage, type ServerResponse } from 'node:http'
import net from 'node:net'
import t, { type Test } from 'tap'
import { frameHead, framesPathOf, PING } from '#balancer/contract/frames.js'
import { TrunkListener } from '#src/worker/trunk-listener.js'
import { until } from '../helpers/deadline.js'
import { socketPathFor } from '../helpers/fake-target.js'
import { rawExchange, requestBytes } from '../helpers/raw-http.js'
import { RunningBalancer } from '../helpers/running-balancer.js'

const KEY = 'key-of-this-boot'
const GET = requestBytes('GET /page')

type Handler = (request: IncomingMessage, response: ServerResponse) => void

/** A server that takes frames beside connections, as a worker does. */
class FramedTarget {
  readonly server: http.Server
  readonly sockets = new Set<net.Socket>()
  /** Connections that came without frames; probes leave at once. */
  plain = 0
  readonly trunks: TrunkListener
  /** The app takes connections. */
  isOpen = true
  /** Connections that began with another key. */
  refused = 0

  private constructor(
    readonly name: string,
    readonly socketPath: string,
    handler: Handler,
    key: string,
  ) {
    this.server = http.createServer({ keepAliveTimeout: 75_000 }, (request, response) => {
      if (request.url === '/health') response.end('OK')
      else handler(request, response)
    })
    this.server.on('connection', (socket: net.Socket) => {
      this.sockets.add(socket)
      socket.once('close', () => this.sockets.delete(socket)).on('error', () => undefined)
    })
    const serving = (): http.Server | undefined => (this.isOpen ? this.server : undefined)
    this.trunks = new TrunkListener(key, serving, () => (this.refused += 1))
  }

  static async start(t: Test, name: string, handler: Handler, key = KEY): Promise<FramedTarget> {
    const target = new FramedTarget(name, socketPathFor(t, name), handler, key)
    await target.trunks.start(target.socketPath)
    await new Promise<void>(resolve => target.server.listen(target.socketPath, resolve))
    t.teardown(() => {
      target.trunks.retire()
      target.server.close()
      for (const socket of target.sockets) socket.destroy()
    })
    return target
  }

  get spec(): { id: string; socketPath: string; draining: boolean } {
    return { id: this.name, socketPath: this.socketPath, draining: false }
  }
}

/** A balancer whose requests go in frames from now on. */
async function before(t: Test, ...targets: FramedTarget[]): Promise<RunningBalancer> {
  const running = await RunningBalancer.start(t, targets, { frames: true, identityKey: KEY })
  const inFrames = (): boolean => targets.every(({ sockets }) => [...sockets].some(isChannel))
  while (!inFrames()) await rawExchange(running.port, requestBytes('GET /first'))
  return running
}

const isChannel = (socket: net.Socket): boolean => socket.constructor.name === 'ChannelSocket'

function answering(handlers: Record<string, Handler>): Handler {
  return (request, response) => {
    const handler = handlers[request.url ?? '']
    if (handler === undefined) response.end(`${request.url ?? ''} over ${request.socket.constructor.name}`)
    else handler(request, response)
  }
}

void t.test('requests come in frames', async t => {
  const running = await before(t, await FramedTarget.start(t, 'a', answering({})))
  const answer = await rawExchange(running.port, GET)
  t.match(answer, { status: 200, body: Buffer.from('/page over ChannelSocket'), whole: true })
})

void t.test('a slow answer holds up no other', async t => {
  const held: ServerResponse[] = []
  const target = await FramedTarget.start(t, 'a', answering({ '/slow': (_request, response) => held.push(response) }))
  const running = await before(t, target)
  const slow = rawExchange(running.port, requestBytes('GET /slow'))
  await until(() => held.length === 1, 'the slow request to arrive')
  for (let i = 0; i < 20; i += 1) t.equal((await rawExchange(running.port, GET)).status, 200)
  held[0]?.end('slow')
  t.equal((await slow).body.toString(), 'slow')
})

void t.test('many requests at once get their own answers', async t => {
  const echo: Handler = ({ url }, response) => {
    // Some in the same turn of the event loop, some later, in another order, some in pieces.
    const number = Number(url?.slice(1))
    if (number % 3 === 0) response.end(url)
    else if (number % 3 === 1) setTimeout(() => response.end(url), number % 7)
    else {
      response.write('/')
      setImmediate(() => response.end(url?.slice(1)))
    }
  }
  const running = await before(t, await FramedTarget.start(t, 'a', echo))
  const mixedUp: string[] = []
  const clients = await Promise.all(Array.from({ length: 16 }, () => running.connect()))
  await Promise.all(
    clients.map(async (client, i) => {
      for (let round = 0; round < 25; round += 1) {
        const path = `/${round * 16 + i}`
        const { body } = await client.write(requestBytes(`GET ${path}`)).response()
        if (body.toString() !== path) mixedUp.push(`${body.toString()} in place of ${path}`)
      }
    }),
  )
  t.strictSame(mixedUp, [])
})

void t.test('an answer that its client does not read stops its app, and no other answer', async t => {
  const size = 16 * 1024 * 1024
  let written = 0
  const large: Handler = (_request, response) => {
    const chunk = Buffer.alloc(64 * 1024, 'x')
    const fill = (): void => {
      while (written < size) {
        written += chunk.length
        if (!response.write(chunk)) return void response.once('drain', fill)
      }
      response.end()
    }
    fill()
  }
  const running = await before(t, await FramedTarget.start(t, 'a', answering({ '/large': large })))
  const client = await running.connect()
  client.socket.pause()
  client.write(requestBytes('GET /large'))
  let seen = -1
  await until(() => {
    const stands = written > 0 && written === seen
    seen = written
    return stands
  }, 'the answer to stand still')
  t.ok(written < size, `${written} bytes were taken for a client that reads nothing`)
  for (let i = 0; i < 5; i += 1) t.equal((await rawExchange(running.port, GET)).status, 200)
  client.socket.resume()
  t.equal((await client.response()).body.length, size)
})

void t.test('the app notices a client that leaves', async t => {
  const left: string[] = []
  const wait: Handler = ({ url = '' }, response) => response.once('close', () => left.push(url))
  const target = await FramedTarget.start(t, 'a', answering({ '/wait': wait }))
  const running = await before(t, target)
  const client = await running.connect()
  client.write(requestBytes('GET /wait'))
  await running.becomes('a', 'ready')
  await until(() => running.balancer.ledger().inFlight === 1, 'the request to be sent')
  client.reset()
  await until(() => left.length === 1, 'the app to be told')
  await running.quiet()
  t.equal((await rawExchange(running.port, GET)).status, 200)
})

void t.test('an answer that the app breaks off is broken for its client alone', async t => {
  let broken: ServerResponse | undefined
  const half: Handler = (_request, response) => {
    response.write('half')
    broken = response
  }
  const running = await before(t, await FramedTarget.start(t, 'a', answering({ '/half': half })))
  const client = await running.connect()
  client.write(requestBytes('GET /half'))
  await until(() => client.unread.includes('half'), 'the answer to begin')
  broken?.destroy()
  await client.closed
  t.notMatch(client.unread.toString(), '0\r\n\r\n')
  t.equal((await rawExchange(running.port, GET)).status, 200)
})

void t.test('bytes that an app writes beyond its answer reach no other client', async t => {
  const forge: Handler = ({ socket }) => {
    socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged')
  }
  const running = await before(t, await FramedTarget.start(t, 'a', answering({ '/forge': forge })))
  t.equal((await rawExchange(running.port, requestBytes('GET /forge'))).body.toString(), 'ok')
  for (let i = 0; i < 5; i += 1) t.notMatch((await rawExchange(running.port, GET)).body.toString(), 'forged')
})

void t.test('an app that takes no connections refuses a request, which goes elsewhere', async t => {
  const [a, b] = [await FramedTarget.start(t, 'a', answering({})), await FramedTarget.start(t, 'b', answering({}))]
  const running = await before(t, a, b)
  a.isOpen = false
  for (const socket of a.sockets) socket.destroy()
  await until(() => a.sockets.size === 0, 'its connections to be closed')
  for (let i = 0; i < 6; i += 1) {
    const answer = await rawExchange(running.port, requestBytes('POST /page', ['Content-Length: 0']))
    t.equal(answer.status, 200, 'also one that must not be repeated')
  }
})

void t.test('requests in flight get their answers when the listener retires, and then it closes', async t => {
  const held: ServerResponse[] = []
  const target = await FramedTarget.start(t, 'a', answering({ '/slow': (_request, response) => held.push(response) }))
  const running = await before(t, target)
  const slow = rawExchange(running.port, requestBytes('GET /slow'))
  await until(() => held.length === 1, 'the request to arrive')
  target.trunks.retire()
  target.server.closeIdleConnections()
  const closed = once(target.server, 'close')
  target.server.close()
  held[0]?.end('served')
  t.equal((await slow).body.toString(), 'served')
  running.balancer.setTargets([])
  await closed
})

void t.test('a server that is closed waits for its channels', async t => {
  const held: ServerResponse[] = []
  const target = await FramedTarget.start(t, 'a', answering({ '/slow': (_request, response) => held.push(response) }))
  const running = await before(t, target)
  const slow = rawExchange(running.port, requestBytes('GET /slow'))
  await until(() => held.length === 1, 'the request to arrive')
  let closed = false
  target.isOpen = false
  target.server.close(() => (closed = true))
  await new Promise(resolve => target.server.getConnections(resolve))
  t.notOk(closed)
  held[0]?.end('served')
  t.equal((await slow).body.toString(), 'served')
  running.balancer.setTargets([])
  await until(() => closed, 'the server to close')
})

void t.test('without the right key nothing is served in frames', async t => {
  let served = 0
  const count: Handler = (_request, response) => {
    served += 1
    response.end()
  }
  const target = await FramedTarget.start(t, 'a', count, 'another key of the same length, or so')
  const head = requestBytes('GET /page')
  const socket = net.connect(framesPathOf(target.socketPath))
  socket.write(`${KEY} and more, so that it is long enough\n${frameHead('data', 1, head.length)}${head}`, 'latin1')
  socket.resume().on('error', () => undefined)
  await once(socket, 'close')
  t.equal(served, 0)
  t.equal(target.refused, 1, 'and it is reported')
})

void t.test('bytes that are not a frame end the socket', async t => {
  const target = await FramedTarget.start(t, 'a', answering({}))
  for (const bytes of ['\xff'.repeat(8), frameHead('refusal', 1), frameHead('end', 1)]) {
    const socket = net.connect(framesPathOf(target.socketPath))
    socket.write(`${KEY}\n${bytes}`, 'latin1')
    socket.resume().on('error', () => undefined)
    await once(socket, 'close')
  }
  t.equal(target.sockets.size, 0)
})

void t.test('a target without frames is reached by connections', async t => {
  const target = await FramedTarget.start(t, 'a', answering({}))
  target.trunks.retire()
  const running = await RunningBalancer.start(t, [target], { frames: true, identityKey: KEY })
  for (let i = 0; i < 3; i += 1) {
    const answer = await rawExchange(running.port, GET)
    t.match(answer, { status: 200, body: Buffer.from('/page over Socket') })
  }
})

void t.test('the context of a request is not seen by requests that came together with it', async t => {
  const storage = new AsyncLocalStorage<string>()
  const seen: unknown[] = []
  const target = await FramedTarget.start(t, 'a', ({ url = '' }, response) => {
    seen.push(storage.getStore())
    storage.enterWith(url)
    setImmediate(() => response.end(storage.getStore()))
  })
  const socket = net.connect(framesPathOf(target.socketPath))
  t.teardown(() => socket.destroy())
  let answers = ''
  socket.setEncoding('latin1').on('data', text => (answers += String(text)))
  const requests = ['/1', '/2', '/3'].map((path, i) => {
    const bytes = requestBytes(`GET ${path}`)
    return frameHead('data', i + 1, bytes.length) + bytes
  })
  socket.write(`${KEY}\n${requests.join('')}`, 'latin1')
  await until(() => (answers.match(/\r\n\r\n(?:2\r\n)?\/\d/g) ?? []).length === 3, 'the answers')
  t.strictSame(seen, [undefined, undefined, undefined])
  for (const path of ['/1', '/2', '/3']) t.match(answers, path)
})

void t.test('an app that throws does so as under node, and requests that came with that one are served', async t => {
  const thrown: unknown[] = []
  const before = process.listeners('uncaughtException')
  process.removeAllListeners('uncaughtException')
  process.once('uncaughtException', error => thrown.push(error.message))
  t.teardown(() => before.forEach(listener => process.on('uncaughtException', listener)))
  const target = await FramedTarget.start(t, 'a', ({ url }, response) => {
    if (url === '/1') throw new Error('a bug of the app')
    response.end('served')
  })
  const socket = net.connect(framesPathOf(target.socketPath))
  t.teardown(() => socket.destroy())
  let answers = ''
  socket.setEncoding('latin1').on('data', text => (answers += String(text)))
  const requests = ['/1', '/2'].map((path, i) => {
    const bytes = requestBytes(`GET ${path}`)
    return frameHead('data', i + 1, bytes.length) + bytes
  })
  socket.write(`${KEY}\n${requests.join('')}`, 'latin1')
  await until(() => thrown.length === 1 && answers.includes('served'), 'the exception and the answer')
  t.strictSame(thrown, ['a bug of the app'])
})

void t.test('a channel is a socket to the app', async t => {
  const seen: unknown[] = []
  const look: Handler = ({ socket }, response) => {
    seen.push(socket instanceof net.Socket, socket.pending, socket.readyState, socket.bytesRead > 0)
    socket.setNoDelay(true).setKeepAlive(true).ref()
    response.end('x', () => {
      seen.push(socket.bytesWritten > 0)
    })
  }
  const running = await before(t, await FramedTarget.start(t, 'a', answering({ '/look': look })))
  t.equal((await rawExchange(running.port, requestBytes('GET /look'))).status, 200)
  await until(() => seen.length === 5, 'the answer to be finished')
  t.strictSame(seen, [true, false, 'open', true, true])
})

void t.test('a ping, by which a balancer measures the event loop, comes back', async t => {
  const target = await FramedTarget.start(t, 'a', (_request, response) => response.end('never asked'))
  const socket = net.connect(framesPathOf(target.socketPath))
  t.teardown(() => socket.destroy())
  const ping = frameHead('credit', PING)
  socket.write(`${KEY}\n${ping}`, 'latin1')
  const [back] = (await once(socket, 'data')) as [Buffer]
  t.equal(back.toString('latin1'), ping)
})

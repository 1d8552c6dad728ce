import t from 'tap'
import { until } from '../../helpers/deadline.js'
import { FakeTarget, RawTarget } from '../../helpers/fake-target.js'
import { rawExchange, requestBytes } from '../../helpers/raw-http.js'
import { RunningBalancer } from '../../helpers/running-balancer.js'

const GET = requestBytes('GET /page')
const OK = 'HTTP/1.1 200 OK\r\n'
const FORGED = `${OK}Content-Length: 6\r\n\r\nforged`

const forgeries: Record<string, string> = {
  'longer than its length': `${OK}Content-Length: 2\r\n\r\nok${FORGED}`,
  'with bytes after its last chunk': `${OK}Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n${FORGED}`,
  'to HEAD, with a body': FORGED,
  'with 204 and a body': `HTTP/1.1 204 No Content\r\n\r\n${FORGED}`,
}

for (const [what, bytes] of Object.entries(forgeries)) {
  void t.test(`bytes that a target sends beyond an answer reach no other client: an answer ${what}`, async t => {
    const head = what.startsWith('to HEAD')
    const raw = await RawTarget.start(t, 'raw', (socket, request) => {
      if (request.includes('/next')) socket.write(`${OK}Content-Length: 4\r\n\r\nnext`)
      else socket.write(bytes)
      socket.once('close', () => raw.emit('closed'))
    })
    const running = await RunningBalancer.start(t, [raw])
    const closed = raw.next('closed')
    const first = await rawExchange(running.port, requestBytes(head ? 'HEAD /page' : 'GET /page'), { head })
    t.notMatch(first.body.toString(), 'forged')
    t.ok(first.status < 300, 'the valid part is passed on')
    await closed
    const answers = await Promise.all([1, 2, 3].map(() => rawExchange(running.port, requestBytes('GET /next'))))
    for (const { body } of answers) t.equal(body.toString(), 'next')
  })
}

void t.test('bytes that a target sends unasked reach no client', async t => {
  const raw = await RawTarget.start(t, 'raw', socket => {
    socket.write(`${OK}Content-Length: 4\r\n\r\npage`)
    raw.once('forge', () => socket.write(FORGED))
    socket.once('close', () => raw.emit('closed'))
  })
  const running = await RunningBalancer.start(t, [raw])
  t.equal((await rawExchange(running.port, GET)).body.toString(), 'page')
  const closed = raw.next('closed')
  raw.emit('forge')
  await closed
  t.equal((await rawExchange(running.port, GET)).body.toString(), 'page')
  t.equal(raw.heads.length, 2)
})

const faults: Record<string, string> = {
  'a length and chunks': `${OK}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n`,
  'a folded header': `${OK}X-A: b\r\n c\r\nContent-Length: 0\r\n\r\n`,
  'line feeds alone': 'HTTP/1.1 200 OK\nContent-Length: 0\n\n',
  'a NUL in a header': `${OK}X-A: \0\r\nContent-Length: 0\r\n\r\n`,
  'a status line of another protocol': 'ICY 200 OK\r\n\r\n',
  'a bad size of its first chunk': `${OK}Transfer-Encoding: chunked\r\n\r\nx\r\n`,
  'a status that nobody knows': 'HTTP/1.1 099 Odd\r\nContent-Length: 0\r\n\r\n',
  'a switch of protocols': 'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n',
}

for (const [what, bytes] of Object.entries(faults)) {
  void t.test(
    `an answer with ${what} is refused: the request is tried again, and its connection is closed`,
    async t => {
      const raw = await RawTarget.start(t, 'raw', socket => {
        socket.once('close', () => raw.emit('closed'))
        socket.write(raw.heads.length === 1 ? bytes : `${OK}Connection: close\r\nContent-Length: 4\r\n\r\ngood`)
      })
      const running = await RunningBalancer.start(t, [raw])
      const closed = raw.next('closed')
      t.match(await rawExchange(running.port, GET), { status: 200, body: Buffer.from('good') })
      await closed
      t.equal(raw.heads.length, 2)
      raw.heads.length = 0
      const post = await rawExchange(running.port, requestBytes('POST /page', ['Content-Length: 0']))
      t.equal(post.status, 502, 'a request that must not be repeated is answered 502')
      t.equal(raw.heads.length, 1)
    },
  )
}

void t.test('a fault within an answer that has begun breaks it off', async t => {
  const raw = await RawTarget.start(t, 'raw', socket => {
    raw.once('fault', () => socket.write('not a size\r\n'))
    socket.write(`${OK}Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n`)
  })
  const running = await RunningBalancer.start(t, [raw])
  const client = await running.connect()
  client.write(GET)
  await until(() => client.unread.includes('hello'), 'the answer to begin')
  raw.emit('fault')
  await client.closed
  t.notMatch(client.unread.toString(), '0\r\n\r\n', 'it has no valid end')
  await running.quiet()
})

void t.test('a connection that its target has closed meanwhile costs no request', async t => {
  const target = await FakeTarget.start(t, 'a')
  const running = await RunningBalancer.start(t, [target])
  for (let i = 0; i < 3; i += 1) {
    t.equal((await rawExchange(running.port, GET)).status, 200)
    // The close and the next request meet.
    target.cutConnections()
  }
  t.equal((await rawExchange(running.port, GET)).status, 200)
})

for (const header of ['Connection: close', 'Keep-Alive: timeout=1']) {
  void t.test(`a connection is not used again after an answer with ${header}`, async t => {
    const raw = await RawTarget.start(t, 'raw', socket => {
      socket.write(`${OK}${header}\r\nContent-Length: 2\r\n\r\nok`)
    })
    const running = await RunningBalancer.start(t, [raw])
    for (let i = 1; i <= 3; i += 1) {
      t.equal((await rawExchange(running.port, GET)).body.toString(), 'ok')
      t.equal(raw.heads.length, i, 'each request came first on its connection')
    }
    await until(() => raw.open === 0, 'the connections to be closed')
  })
}

void t.test('unused connections are closed after a while', async t => {
  const target = await FakeTarget.start(t, 'a')
  const running = await RunningBalancer.start(t, [target], { upstreamIdleMs: 30 })
  t.equal((await rawExchange(running.port, GET)).status, 200)
  await until(() => target.open === 0, 'the connection to be closed')
})

void t.test('an answer is read no faster than its client reads', async t => {
  let written = 0
  const size = 32 * 1024 * 1024
  const target = await FakeTarget.start(t, 'a', (_request, response) => {
    response.setHeader('content-length', size)
    const chunk = Buffer.alloc(64 * 1024, 'x')
    const fill = (): void => {
      while (written < size) {
        written += chunk.length
        if (!response.write(chunk)) {
          response.once('drain', fill)
          return
        }
      }
      response.end()
    }
    fill()
  })
  const running = await RunningBalancer.start(t, [target])
  const client = await running.connect()
  client.socket.pause()
  client.write(GET)
  let before = -1
  await until(() => {
    const stands = written > 0 && written === before
    before = written
    return stands
  }, 'the answer to stand still')
  t.ok(written < size / 2, `${written} bytes were taken for a client that reads nothing`)
  client.socket.resume()
  t.equal((await client.response()).body.length, size, 'all of it arrives')
})

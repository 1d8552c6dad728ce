import http, { type IncomingMessage, type ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import t from 'tap'
import { until } from '../../helpers/deadline.js'
import { FakeTarget, RawTarget, type TargetHandler } from '../../helpers/fake-target.js'
import { rawExchange, RawConnection, requestBytes } from '../../helpers/raw-http.js'
import { RunningBalancer } from '../../helpers/running-balancer.js'

const GET = requestBytes('GET /page')

void t.test('a GET is tried elsewhere when its target resets the connection', async t => {
  const broken = await RawTarget.start(t, 'broken', socket => socket.destroy())
  const good = await FakeTarget.start(t, 'good')
  const running = await RunningBalancer.start(t, [broken, good])
  const client = await running.connect()
  for (let i = 0; i < 4; i += 1) {
    const answer = await client.write(GET).response()
    t.equal(answer.status, 200)
    t.equal(answer.headers['x-target'], 'good')
  }
  t.equal(broken.heads.length, 2)
  t.equal(good.requests.length, 4, 'each arrived once')
})

void t.test(
  'a short answer that breaks off is not passed on: a GET is tried elsewhere, a POST is answered 502',
  async t => {
    const broken = await RawTarget.start(t, 'broken', socket => {
      socket.end('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf')
    })
    const good = await FakeTarget.start(t, 'good')
    const running = await RunningBalancer.start(t, [broken, good])
    const client = await running.connect()
    for (let i = 0; i < 4; i += 1) {
      t.match(await client.write(GET).response(), { status: 200, headers: { 'x-target': 'good' } })
    }
    t.equal(broken.heads.filter(head => head.startsWith('GET /page')).length, 2)
    const posted = []
    for (let i = 0; i < 2; i += 1)
      posted.push((await client.write(requestBytes('POST /page', [], 'x')).response()).status)
    t.strictSame(posted.sort(), [200, 502])
    await running.quiet(1)
  },
)

for (const last of ['write', 'end'] as const) {
  void t.test(`a short answer in several pieces is passed on in one, the last piece sent by ${last}`, async t => {
    const slow = await RawTarget.start(t, 'slow', socket => {
      socket.write('HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nha')
      slow.once('rest', () => socket[last]('lf'))
    })
    const running = await RunningBalancer.start(t, [slow])
    const client = await running.connect()
    client.write(GET)
    await until(() => slow.heads.length === 1, 'the request to arrive')
    slow.emit('rest')
    const answer = await client.response()
    t.match(answer, { status: 200, whole: true })
    t.equal(answer.body.toString(), 'half')
    t.equal(slow.heads.length, 1, 'the request was sent once')
    await running.quiet(1)
  })
}

void t.test('requests of a target that drops every connection are retried without the budget', async t => {
  const dying = await RawTarget.start(t, 'dying', socket => {
    dying.dying = true
    socket.destroy()
  })
  const good = await FakeTarget.start(t, 'good')
  const running = await RunningBalancer.start(t, [dying, good], { retryBudgetFloor: 0, retryBudgetRatio: 0 })
  const client = await running.connect()
  for (let i = 0; i < 2; i += 1) t.equal((await client.write(GET).response()).status, 200)
  t.equal(running.states.get('dying'), 'unreachable')
})

void t.test('the failure that ejects a target sends its request elsewhere once', async t => {
  const broken = await RawTarget.start(t, 'broken', socket => socket.destroy())
  const good = await FakeTarget.start(t, 'good')
  const running = await RunningBalancer.start(t, [broken, good], { ejectAfter: 1 })
  const client = await running.connect()
  for (let i = 0; i < 3; i += 1) t.equal((await client.write(GET).response()).status, 200)
  t.equal(running.states.get('broken'), 'ejected')
  t.equal(broken.heads.length, 1)
  t.equal(good.requests.length, 3)
  await running.quiet(1)
})

void t.test('a GET is held when all targets die, even if one was ejected before', async t => {
  let ejected: string | undefined
  const script =
    (name: string): TargetHandler =>
    ({ method }, response) => {
      if (method === 'GET') ejected ??= name
      else if (name === ejected) response.destroy()
      else response.end()
    }
  const first = await FakeTarget.start(t, 'first', script('first'))
  const second = await FakeTarget.start(t, 'second', script('second'))
  const running = await RunningBalancer.start(t, [first, second], { ejectAfter: 1, holdMs: 10_000 })
  const client = await running.connect()
  client.write(GET)
  await until(() => ejected !== undefined, 'the request to arrive')
  const [holder, other] = ejected === 'first' ? [first, second] : [second, first]
  for (let i = 0; i < 2; i += 1) await rawExchange(running.port, requestBytes('POST /form', [], 'a=b'))
  await running.becomes(holder.name, 'ejected')
  const gets = (target: FakeTarget): number => target.requests.filter(({ method }) => method === 'GET').length
  await until(() => gets(other) === 1, 'the GET at the other target')
  await other.kill()
  await until(() => gets(holder) === 2, 'the GET at the ejected target, the last one alive')
  await holder.kill()
  await running.becomes(holder.name, 'unreachable')
  const fresh = await FakeTarget.start(t, 'fresh')
  const killed = [first, second].map(({ name }) => ({ id: name, fault: false }))
  running.balancer.setTargets([fresh.spec], 1, killed)
  t.match(await client.response(), { status: 200, headers: { 'x-target': 'fresh' } })
})

void t.test('a GET whose target dies is sent elsewhere once', async t => {
  const gone = await FakeTarget.start(t, 'gone', () => void gone.kill())
  const good = await FakeTarget.start(t, 'good')
  const running = await RunningBalancer.start(t, [gone, good])
  const client = await running.connect()
  for (let i = 0; i < 4; i += 1) t.equal((await client.write(GET).response()).status, 200)
  t.equal(running.states.get('gone'), 'unreachable')
  t.equal(gone.requests.length, 1)
  t.equal(good.requests.length, 4)
  await running.quiet(1)
})

void t.test('a refused connection is retried elsewhere, and nothing is sent twice', async t => {
  const gone = await FakeTarget.start(t, 'gone')
  const good = await FakeTarget.start(t, 'good')
  const running = await RunningBalancer.start(t, [gone, good])
  await gone.kill()
  const client = await running.connect()
  for (let i = 0; i < 4; i += 1) t.equal((await client.write(GET).response()).status, 200)
  t.equal(running.states.get('gone'), 'unreachable')
  t.equal(good.requests.length, 4)
  await running.quiet(1)
})

void t.test('a streamed POST whose connection is refused arrives once and complete at the other target', async t => {
  const gone = await FakeTarget.start(t, 'gone')
  const good = await FakeTarget.start(t, 'good')
  const running = await RunningBalancer.start(t, [gone, good])
  await gone.kill()
  const body = 'abcdefghij'.repeat(50_000)
  const client = await running.connect()
  client.write(requestBytes('POST /form', [], body))
  t.equal((await client.response()).headers['x-target'], 'good')
  client.write(requestBytes('POST /form', ['Transfer-Encoding: chunked']))
  for (let i = 0; i < 50; i += 1) client.write(`${(10_000).toString(16)}\r\n${body.slice(0, 10_000)}\r\n`)
  client.write('0\r\n\r\n')
  t.equal((await client.response()).headers['x-target'], 'good')
  t.same(
    good.requests.map(({ method, body }) => [method, body.length]),
    [
      ['POST', 500_000],
      ['POST', 500_000],
    ],
  )
  t.equal(good.requests[0]?.body.toString(), body)
})

void t.test('a GET goes elsewhere and a POST is answered 502 when their target is removed', async t => {
  const old = await FakeTarget.start(t, 'old', request => void request.resume())
  const running = await RunningBalancer.start(t, [old])
  const get = await running.connect()
  const post = await running.connect()
  const keyed = await running.connect()
  get.write(GET)
  post.write(requestBytes('POST /form', [], 'a=b'))
  keyed.write(requestBytes('POST /form', ['Idempotency-Key: 1'], 'held'))
  await until(() => old.requests.length === 3, 'three requests at the old target')
  const fresh = await FakeTarget.start(t, 'fresh')
  await running.setTargets(fresh)
  t.equal((await get.response()).headers['x-target'], 'fresh')
  t.equal((await keyed.response()).headers['x-target'], 'fresh')
  t.notOk(post.ended, 'the POST waits for the end of its own connection')
  await old.kill()
  const answer = await post.response()
  t.equal(answer.status, 502)
  t.match(answer.body.toString(), '"code":"UPSTREAM_BROKEN"')
  t.same(fresh.requests.map(({ method, body }) => `${method} ${body.toString()}`).sort(), ['GET ', 'POST held'])
  t.equal(old.requests.length, 3)
  await running.quiet(3)
})

void t.test('a request whose balancer ends at once is answered 502, and its connection is closed', async t => {
  const target = await FakeTarget.start(t, 'a', request => void request.resume())
  const running = await RunningBalancer.start(t, [target])
  const client = await running.connect()
  client.write(GET)
  await until(() => target.requests.length === 1, 'the request to arrive')
  running.balancer.abandon()
  t.match(await client.response(), { status: 502, headers: { connection: 'close' } })
  t.equal(await client.closed, 'end')
})

void t.test('requests of a target that dies while it drains are retried without the budget', async t => {
  const old = await FakeTarget.start(t, 'old', () => undefined)
  const running = await RunningBalancer.start(t, [old], { retryBudgetFloor: 0, retryBudgetRatio: 0 })
  const clients = await Promise.all(Array.from({ length: 20 }, () => running.connect()))
  for (const client of clients) client.write(GET)
  await until(() => old.requests.length === clients.length, 'all requests to arrive')
  const fresh = await FakeTarget.start(t, 'fresh')
  running.balancer.setTargets([{ ...old.spec, draining: true }, fresh.spec])
  await running.becomes('fresh', 'ready')
  await old.kill()
  for (const client of clients) t.match(await client.response(), { status: 200, headers: { 'x-target': 'fresh' } })
  t.equal(fresh.requests.length, clients.length)
  t.same(running.drained, ['old'])
})

void t.test('the answer of a removed target is passed on, and its connection is closed', async t => {
  const old = await FakeTarget.start(t, 'old', (request, response) => {
    request.resume()
    old.server.once('release', () => response.end('done'))
  })
  const running = await RunningBalancer.start(t, [old])
  const client = await running.connect()
  client.write(requestBytes('POST /form', [], 'a=b'))
  await until(() => old.requests.length === 1, 'the request to arrive')
  running.balancer.setTargets([])
  old.server.emit('release')
  t.equal((await client.response()).body.toString(), 'done')
  await until(() => old.open === 0, 'the connection to be closed')
})

void t.test('a plain POST is never sent twice', async t => {
  const broken = await RawTarget.start(t, 'broken', socket => socket.destroy())
  const running = await RunningBalancer.start(t, [broken])
  const client = await running.connect()
  t.equal((await client.write(requestBytes('POST /form', [], 'a=b')).response()).status, 502)
  t.equal(broken.heads.length, 1)
})

void t.test('retries are limited by count and by the budget', async t => {
  const broken = await RawTarget.start(t, 'broken', socket => socket.destroy())
  const generous = await RunningBalancer.start(t, [broken], { retryBudgetRatio: 9 })
  t.equal((await rawExchange(generous.port, GET)).status, 502)
  t.equal(broken.heads.length, 3, 'one try and two retries')
  const thrifty = await RunningBalancer.start(t, [broken], { retryBudgetFloor: 0, retryBudgetRatio: 0.5 })
  for (let i = 0; i < 4; i += 1) t.equal((await rawExchange(thrifty.port, GET)).status, 502)
  t.equal(broken.heads.length, 3 + 4 + 2, 'four tries and half as many retries')
})

void t.test('a request without an answer in time is answered 504 and not retried', async t => {
  const silent = await FakeTarget.start(t, 'silent', request => void request.resume())
  const other = await FakeTarget.start(t, 'other')
  const running = await RunningBalancer.start(t, [silent, other], { upstreamTimeoutMs: 400 })
  const client = await running.connect()
  const answer = await client.write(GET).response()
  t.equal(answer.status, 504)
  t.match(answer.body.toString(), '"code":"UPSTREAM_TIMEOUT"')
  t.equal(other.requests.length, 0)
  await until(() => silent.requests[0]?.aborted === true, 'the request at the target to be aborted')
  t.equal((await client.write(GET).response()).status, 200, 'the connection of the client stays open')
})

void t.test('the time limit for an answer begins when the whole body has been sent', async t => {
  const target = await FakeTarget.start(t, 'a')
  const running = await RunningBalancer.start(t, [target], { upstreamTimeoutMs: 400 })
  const client = await running.connect()
  client.write(requestBytes('POST /slow', ['Content-Length: 12']))
  const begun = performance.now()
  for (let i = 0; i < 6; i += 1) {
    client.write('ab')
    await new Promise(resolve => setTimeout(resolve, 80))
  }
  t.equal((await client.response()).status, 200)
  t.ok(performance.now() - begun > 400, 'the upload took longer than the limit')
})

void t.test('a body that makes no progress is answered 408, and the connection is closed', async t => {
  const target = await FakeTarget.start(t, 'a')
  const running = await RunningBalancer.start(t, [target], { bodyIdleMs: 100 })
  for (const headers of [[], ['Idempotency-Key: 1']]) {
    const client = await running.connect()
    client.write(requestBytes('POST /slow', [...headers, 'Content-Length: 12']) + 'half')
    const answer = await client.response()
    t.equal(answer.status, 408)
    t.equal(answer.headers['connection'], 'close')
    t.equal(await client.closed, 'end')
  }
  await running.quiet()
})

void t.test('a body at less than the lowest rate is answered 408', async t => {
  const target = await FakeTarget.start(t, 'a')
  const running = await RunningBalancer.start(t, [target], { bodyIdleMs: 400, minBytesPerSecond: 1_000 })
  const client = await running.connect()
  client.write(requestBytes('POST /slow', ['Content-Length: 1000']))
  const dripping = setInterval(() => client.write('x'), 20)
  t.teardown(() => clearInterval(dripping))
  t.equal((await client.response()).status, 408)
  clearInterval(dripping)
  await running.quiet()
})

void t.test('a body that the target does not read is answered 504', async t => {
  const target = await FakeTarget.start(t, 'a', request => void request.pause())
  const running = await RunningBalancer.start(t, [target], { upstreamTimeoutMs: 200, bodyIdleMs: 200 })
  const client = await running.connect()
  client.socket.write(requestBytes('POST /large', ['Content-Length: 8000000']))
  client.socket.write(Buffer.alloc(8_000_000))
  t.equal((await client.response()).status, 504)
  client.destroy()
  await running.quiet()
})

void t.test('all tries share one time limit', async t => {
  const silent = (request: IncomingMessage): void => void request.resume()
  const [first, second] = [await FakeTarget.start(t, 'first', silent), await FakeTarget.start(t, 'second', silent)]
  const upstreamTimeoutMs = 3_000
  const running = await RunningBalancer.start(t, [first, second], { upstreamTimeoutMs })
  const pause = (share: number): Promise<void> => new Promise(resolve => setTimeout(resolve, share * upstreamTimeoutMs))
  const moved = (await running.connect()).write(GET)
  await until(() => first.requests.length === 1, 'it to arrive')
  await pause(0.5)
  const later = (await running.connect()).write(GET)
  await until(() => second.requests.length === 1, 'the other request to arrive')
  await pause(0.1)
  running.balancer.setTargets([second.spec])
  await until(() => second.requests.length === 2, 'the first request to be tried again')
  const answered: string[] = []
  const answers = Object.entries({ moved, later }).map(async ([name, client]) => {
    t.equal((await client.response()).status, 504)
    answered.push(name)
  })
  await Promise.all(answers)
  t.same(answered, ['moved', 'later'], 'a limit of its own for the second try would have made it the later one')
})

void t.test('a request is aborted when its client leaves', async t => {
  const target = await FakeTarget.start(t, 'a', request => void request.resume())
  const running = await RunningBalancer.start(t, [target])
  const client = await running.connect()
  client.write(GET)
  await until(() => target.requests.length === 1, 'the request to arrive')
  client.reset()
  await until(() => target.requests[0]?.aborted === true, 'the request at the target to be aborted')
  await running.quiet()
})

void t.test('pipelined requests are aborted or never begin when their client leaves', async t => {
  const target = await FakeTarget.start(t, 'a', request => void request.resume())
  const running = await RunningBalancer.start(t, [target])
  const client = await running.connect()
  client.write(requestBytes('GET /hang') + requestBytes('GET /') + requestBytes('POST /', [], 'body'))
  await until(() => running.balancer.ledger().waiting === 2, 'two requests to wait for their turn')
  client.reset()
  await running.quiet()
  await until(() => target.open === 0, 'the first request to be aborted')
  t.equal(target.requests.length, 1, 'the other requests have never begun')
})

void t.test('a request is aborted when its client resets in the middle of the body', async t => {
  const target = await FakeTarget.start(t, 'a')
  const running = await RunningBalancer.start(t, [target])
  const client = await running.connect()
  client.write(requestBytes('POST /form', ['Content-Length: 100']) + 'abc')
  await until(() => target.requests.length === 1, 'the request to arrive')
  client.reset()
  await until(() => target.requests[0]?.aborted === true, 'the request at the target to be aborted')
  t.equal(target.requests[0]?.complete, false)
  await running.quiet()
})

void t.test('pipelined requests are served in order, one at a time', async t => {
  let busy = 0
  let busiest = 0
  const target = await FakeTarget.start(t, 'a', (request, response) => {
    busiest = Math.max(busiest, ++busy)
    request.resume().once('end', () => {
      setImmediate(() => {
        busy -= 1
        response.end(request.url)
      })
    })
  })
  // All of them at once would be more than there is room for.
  const running = await RunningBalancer.start(t, [target], { maxInFlight: 1 })
  const client = await running.connect()
  const paths = Array.from({ length: 500 }, (_, i) => `/${i}`)
  client.write(paths.map((path, i) => requestBytes(`${i % 2 === 0 ? 'GET' : 'POST'} ${path}`, [], 'body')).join(''))
  for (const path of paths) t.match(await client.response(), { status: 200, body: Buffer.from(path) })
  t.equal(busiest, 1)
  await running.quiet(1)
})

void t.test('while a request waits, no more is read from its connection than fits into a small buffer', async t => {
  const held: ServerResponse[] = []
  let holding = true
  const target = await FakeTarget.start(t, 'a', (_request, response) => {
    if (holding) held.push(response)
    else response.end('at once')
  })
  const running = await RunningBalancer.start(t, [target])
  const client = await running.connect()
  client.write(GET)
  await until(() => held.length === 1, 'the first request to arrive')
  const large = requestBytes('GET /', [`X-Filler: ${'x'.repeat(8_000)}`])
  const sent = 1_000
  client.write(large.repeat(sent))
  await until(() => running.balancer.ledger().waiting >= 8, 'some of the others to be parsed')
  const other = await running.connect()
  other.write(GET)
  await until(() => held.length === 2, 'the request of another client to be served all the same')
  t.ok(running.balancer.ledger().waiting <= 16, `${running.balancer.ledger().waiting} of them were read`)
  holding = false
  for (const response of held) response.end('held')
  t.equal((await other.response()).status, 200)
  for (let i = 0; i <= sent; i += 1) t.equal((await client.response()).status, 200)
  await running.quiet(2)
})

void t.test('a client with more pipelined requests than its share of the memory is cut', async t => {
  const target = await FakeTarget.start(t, 'a', request => void request.resume())
  const running = await RunningBalancer.start(t, [target], { pipelinedBytes: 10_000 })
  const client = await running.connect()
  client.write(GET.repeat(4))
  t.equal(await client.closed, 'reset')
  await running.quiet()
})

void t.test('when others have all of the memory for pipelined requests, a new client gets a little of it', async t => {
  const held: ServerResponse[] = []
  const target = await FakeTarget.start(t, 'a', (_request, response) => void held.push(response))
  const running = await RunningBalancer.start(t, [target], { pipelinedBytes: 200_000 })
  const hogs: RawConnection[] = []
  for (let last = 2; last < 12; last += 1) {
    // A client over its share is cut, so each takes as much as it can get by one connection after the other.
    for (let i = 0; i < 12; i += 1) {
      const hog = await RawConnection.open(running.port, `127.0.0.${last}`)
      t.teardown(() => hog.destroy())
      hogs.push(hog.write(GET.repeat(2)))
      const waiting = (): number => hogs.filter(({ ended }) => !ended).length
      await until(() => running.balancer.ledger().waiting === waiting(), 'one to wait, or the connection to be cut')
    }
  }
  const lost = (): RawConnection[] => hogs.filter(({ ended }) => ended)
  const before = lost()
  const heldOfHogs = held.length
  const client = await running.connect()
  client.write(GET.repeat(2))
  await until(() => held.length > heldOfHogs, 'its first request to be at the target')
  const answered = (async () => [(await client.response()).status, (await client.response()).status])()
  const answering = setInterval(() => held.slice(heldOfHogs).forEach(response => response.end('held')), 5)
  t.teardown(() => clearInterval(answering))
  t.strictSame(await answered, [200, 200])
  t.equal(lost().filter(hog => !before.includes(hog)).length, 1, 'one connection was cut for it')
  t.ok(hogs.indexOf(lost().find(hog => !before.includes(hog))!) < 12, 'of the client with most')
})

void t.test('the rest of a piece is passed over when its client is over its share', async t => {
  const target = await FakeTarget.start(t, 'a', request => void request.resume())
  let parsed = 0
  class Counted extends http.IncomingMessage {
    constructor(socket: Socket) {
      super(socket)
      parsed += 1
    }
  }
  const messages = { IncomingMessage: Counted }
  const running = await RunningBalancer.start(t, [target], { pipelinedBytes: 100_000, messages })
  for (let i = 1; i <= 10; i += 1) {
    const client = await running.connect()
    client.write((requestBytes('GET /') + requestBytes('POST /', [], 'a body')).repeat(500))
    t.equal(await client.closed, 'reset')
    t.ok(parsed < 20 * i, `${parsed} of ${1_000 * i} were parsed`)
  }
  await running.quiet()
  // Node uses its parsers again.
  for (let i = 0; i < 3; i += 1)
    t.equal((await rawExchange(running.port, requestBytes('GET http://other/'))).status, 400)
})

for (const [what, refused, status] of [
  ['a bad host', requestBytes('GET http://other/'), 400],
  ['a method that is not served', requestBytes('TRACE /'), 405],
  ['an unknown expectation', requestBytes('GET /', ['Expect: 200-ok']), 417],
] as const) {
  void t.test(`pipelined requests with ${what} wait for their turn and count for their client, too`, async t => {
    const held: ServerResponse[] = []
    const target = await FakeTarget.start(t, 'a', (_request, response) => void held.push(response))
    const running = await RunningBalancer.start(t, [target], { pipelinedBytes: 400_000 })
    const client = await running.connect()
    client.write(GET + refused.repeat(10))
    await until(() => held.length === 1 && running.balancer.ledger().waiting === 10, 'the others to wait')
    t.strictSame(running.refused, [])
    held[0]?.end('served')
    t.equal((await client.response()).status, 200)
    t.equal((await client.response()).status, status)
    t.equal(await client.closed, 'end')
    t.equal(running.refused.length, status === 400 ? 1 : 0, 'one line for the connection')
    const greedy = await running.connect()
    greedy.write(GET + refused.repeat(100))
    t.equal(await greedy.closed, 'reset')
    await running.quiet()
  })
}

void t.test('a body that exceeds the memory for held bodies is sent on as it comes', async t => {
  const target = await FakeTarget.start(t, 'a', (request, response) => {
    request.resume().once('end', () => response.end('good'))
  })
  const running = await RunningBalancer.start(t, [target], { heldBytes: 10 })
  const client = await running.connect()
  const head = requestBytes('POST /', ['Idempotency-Key: 1', 'Content-Length: 12'])
  client.write(`${head}half a `)
  await until(() => target.requests.length === 1, 'the request to arrive before its body is complete')
  t.match(await client.write('body.').response(), { status: 200 })
  client.write(requestBytes('POST /', ['Idempotency-Key: 1', 'Content-Length: 8']) + 'half')
  t.match(await client.write('body').response(), { status: 200 }, 'a body that fits is held')
  await running.quiet(1)
})

void t.test('connections to a target are reused', async t => {
  const lengths = new Map(Object.entries({ '/empty': 0, '/small': 3, '/large': 300_000 }))
  const target = await FakeTarget.start(t, 'a', (request, response) => {
    request.resume().once('end', () => {
      const length = lengths.get(request.url ?? '')
      if (length === undefined) response.write('chunked')
      else response.setHeader('content-length', length)
      response.end('x'.repeat(length ?? 1))
    })
  })
  const running = await RunningBalancer.start(t, [target])
  const client = await running.connect()
  for (let i = 0; i < 5; i += 1) {
    for (const path of [...lengths.keys(), '/chunked']) {
      t.equal((await client.write(requestBytes(`GET ${path}`)).response()).status, 200)
      t.equal((await client.write(requestBytes(`POST ${path}`, [], 'body')).response()).status, 200)
      const long = 'x'.repeat(20_000)
      t.equal((await client.write(requestBytes(`POST ${path}`, [], long)).response()).status, 200)
      t.equal((await client.write(requestBytes(`HEAD ${path}`)).response({ head: true })).status, 200)
    }
  }
  t.equal(target.requests.length, 80)
  t.equal(target.connections, 2, 'one for requests with a long body, one for the others')
})

for (const length of [20, 100_000]) {
  void t.test(`an answer of ${length} bytes before the end of the body reaches a client that then closes`, async t => {
    let isAnswered = false
    const target = await FakeTarget.start(t, 'early', (_request, response) => {
      response.writeHead(413, { 'content-length': length }).end('x'.repeat(length))
      isAnswered = true
    })
    const running = await RunningBalancer.start(t, [target])
    const client = await running.connect()
    const size = 8 << 20
    const headers = [`Content-Length: ${size}`, 'Connection: close']
    // Such a client sends all before it reads.
    client.socket.pause()
    client.write(requestBytes('POST /', headers) + 'x'.repeat(1 << 20))
    await until(() => isAnswered, 'the answer')
    for (let sent = 2 << 20; sent < size; sent += 1 << 20) client.write('x'.repeat(1 << 20))
    await new Promise(resolve => client.socket.write('x'.repeat(1 << 20), resolve))
    client.socket.resume()
    const answer = await client.response()
    t.match(answer, { status: 413, whole: true })
    t.equal(answer.body.length, length)
    await running.quiet(0)
  })
}

void t.test('an answer that is not valid HTTP becomes a 502', async t => {
  const nonsense = [
    'HTTP/1.1 099 Low\r\nContent-Length: 0\r\n\r\n',
    'HTTP/1.1 200 OK\r\nX-A: a\x01b\r\nContent-Length: 0\r\n\r\n',
    'HTTP/1.1 200 O\x01K\r\nContent-Length: 0\r\n\r\n',
    'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
    'HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n',
    'HTTP/1.1 101 Switching Protocols\r\n\r\n',
    'SSH-2.0-OpenSSH\r\n',
    '\0',
  ]
  for (const bytes of nonsense) {
    await t.test(`a nonsensical answer becomes a 502: ${JSON.stringify(bytes.slice(0, 40))}`, async t => {
      const raw = await RawTarget.start(t, 'raw', socket => socket.write(Buffer.from(bytes, 'latin1')))
      const running = await RunningBalancer.start(t, [raw])
      const client = await running.connect()
      t.equal((await client.write(requestBytes('POST /', [], 'a=b')).response()).status, 502)
      await running.quiet(1)
    })
  }
})

void t.test('headers that a target sends before the body are passed on before it', async t => {
  const target = await FakeTarget.start(t, 'a', (_request, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' }).flushHeaders()
    target.server.once('go', () => response.end('data: 1\n\n'))
  })
  const running = await RunningBalancer.start(t, [target])
  const client = await running.connect()
  client.write(GET)
  await until(() => client.unread.includes('\r\n\r\n'), 'the headers')
  target.server.emit('go')
  t.equal((await client.response()).body.toString(), 'data: 1\n\n')
})

void t.test('a broken answer to an HTTP/1.0 client ends with a reset', async t => {
  const raw = await RawTarget.start(t, 'raw', socket => {
    socket.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n')
    socket.once('cut', () => socket.destroy())
    socket.setTimeout(20, () => socket.emit('cut'))
  })
  const running = await RunningBalancer.start(t, [raw])
  const client = await RawConnection.open(running.port)
  client.write('GET / HTTP/1.0\r\nHost: a\r\n\r\n')
  t.equal(await client.closed, 'reset')
})

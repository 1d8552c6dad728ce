import { spawn } from 'node:child_process'
import { once } from 'node:events'
import t from 'tap'
import { Upstream } from '#balancer/transports/upstream.js'
import type { ForwardedUpgrade } from '#balancer/transports/transport.js'
import { resolveOptions } from '#balancer/options.js'
import { readProc } from '#scripts/lib/proc.js'
import { FakeTarget, RawTarget, socketPathFor } from '../../helpers/fake-target.js'
import { until } from '../../helpers/deadline.js'
import { rawExchange, requestBytes } from '../../helpers/raw-http.js'
import { RunningBalancer } from '../../helpers/running-balancer.js'

const LISTENS = `require('node:net').createServer().listen(process.argv[1], () => console.log('listens'))`

void t.test('a target that dies with a connection in its backlog is found dead', async t => {
  const socketPath = socketPathFor(t)
  const child = spawn(process.execPath, ['-e', LISTENS, socketPath], { stdio: ['ignore', 'pipe', 'inherit'] })
  t.teardown(() => child.kill('SIGKILL'))
  await once(child.stdout, 'data')
  child.kill('SIGSTOP')
  let refused = 0
  const upstream = new Upstream(socketPath, resolveOptions({}), { onRefused: () => (refused += 1) })
  await new Promise<void>(resolve => {
    const upgrade: Partial<ForwardedUpgrade> = { attemptBegun: () => undefined, attemptFailed: () => resolve() }
    upstream.upgrade(upgrade as ForwardedUpgrade)
    // The connection is in the backlog. Its end is reported in the next turn of the event loop.
    child.kill('SIGKILL')
    while (readProc('net/unix').includes(socketPath)) continue
  })
  t.equal(refused, 1)
})

void t.test('connections to a target are counted as open files until they close', async t => {
  const target = await FakeTarget.start(t, 'a', ({ url }, response) => {
    if (url === '/stream') response.write('begun')
    else response.end('served')
  })
  const running = await RunningBalancer.start(t, [target], { maxOpenFiles: 3 })
  const [streaming, other] = [await running.connect(), await running.connect()]
  streaming.write(requestBytes('GET /stream'))
  await until(() => streaming.unread.includes('begun'), 'the answer to begin')
  const refused = await other.write(requestBytes('GET /')).response()
  t.match(refused, { status: 503 }, 'there is no file left for a second connection to the target')
  t.match(refused.body.toString(), 'OVERLOADED')
  streaming.reset()
  await running.quiet(1)
  t.equal((await other.write(requestBytes('GET /')).response()).status, 200)
  t.equal((await other.write(requestBytes('GET /')).response()).status, 200, 'the connection is used again')
})

void t.test('chunks of an answer that arrive together are all passed on', async t => {
  const target = await RawTarget.start(t, 'a', socket => {
    socket.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n3\r\ntwo\r\n5\r\nthree\r\n0\r\n\r\n')
  })
  const running = await RunningBalancer.start(t, [target])
  const answer = await rawExchange(running.port, requestBytes('GET /page'))
  t.match(answer, { status: 200, body: Buffer.from('onetwothree'), whole: true })
})

void t.test(
  'the bytes of streamed bodies are reported in both directions, and those of short ones are not',
  async t => {
    const target = await FakeTarget.start(t, 'a', (request, response) => {
      if (request.url === '/short') response.end('short')
      else request.pipe(response)
    })
    const running = await RunningBalancer.start(t, [target], { heldBodyBytes: 1_000 })
    t.equal((await rawExchange(running.port, requestBytes('GET /short'))).status, 200)
    t.equal(running.bytesPassed, 0)
    const body = 'x'.repeat(1024 ** 2)
    const answer = await rawExchange(running.port, requestBytes('POST /echo', [], body))
    t.equal(answer.body.length, body.length)
    t.equal(running.bytesPassed, 2 * body.length)
  },
)

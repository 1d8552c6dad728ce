import { once } from 'node:events'
import { statSync } from 'node:fs'
import http from 'node:http'
import net from 'node:net'
import t from 'tap'
import type { Log } from '#src/control/log-answer.js'
import { contentTypes, controlErrors, routes, type ControlErrorCode } from '#src/control/protocol.js'
import { until } from '../helpers/deadline.js'
import { aStatus, startControl, workerFailed } from './running-control.js'

interface Answer {
  status: number | undefined
  headers: http.IncomingHttpHeaders
  text: string
}

async function ask(socketPath: string, options: http.RequestOptions, body?: string): Promise<Answer> {
  // On Node 20 the end of a long body may fail after its answer has come.
  const request = http.request({ socketPath, agent: false, ...options }).on('error', () => undefined)
  request.end(body)
  const [response] = (await once(request, 'response')) as [http.IncomingMessage]
  let text = ''
  for await (const chunk of response.setEncoding('utf8') as AsyncIterable<string>) text += chunk
  return { status: response.statusCode, headers: response.headers, text }
}

const events = { accept: contentTypes.events }

const eventsOf = ({ text }: Answer): unknown[] =>
  text
    .trimEnd()
    .split('\n')
    .map(line => JSON.parse(line) as unknown)

/** An answer that is the problem document of an error. */
const problem = (code: ControlErrorCode): object => {
  const { status, detail } = controlErrors[code]
  return {
    status,
    headers: { 'content-type': contentTypes.problem },
    text: new RegExp(`"code":"${code}","detail":"${detail.slice(0, -1)}[.:]`),
  }
}

/** Sends bytes and reads until the server closes the connection. */
async function send(socketPath: string, bytes: string): Promise<string> {
  const socket = net.connect(socketPath)
  socket.on('error', () => undefined)
  let text = ''
  socket.setEncoding('latin1').on('data', chunk => (text += String(chunk)))
  socket.write(bytes)
  await once(socket, 'close')
  return text
}

void t.test('only the user of Outpost may open the socket', async t => {
  const { socketPath } = await startControl(t)
  t.equal(statSync(socketPath).mode & 0o777, 0o600)
})

void t.test('each command is answered with one JSON document', async t => {
  const { socketPath, carriedOut } = await startControl(t)
  const [status, reload, stop] = [
    await ask(socketPath, routes.status),
    await ask(socketPath, routes.reload),
    await ask(socketPath, routes.stop),
  ]
  t.match(status, { status: 200, headers: { 'content-type': contentTypes.json } })
  t.strictSame(JSON.parse(status.text), aStatus)
  t.match(reload, { status: 200, text: '{"replaced":2}\n' })
  t.match(stop, { status: 202, text: `{"pid":${process.pid}}\n` })
  await until(() => carriedOut.length === 3, 'the stop, which follows its answer')
  t.strictSame(carriedOut, ['status', 'reload', 'stop'])
})

void t.test('a reload streams its events to a client that asks for them', async t => {
  const { socketPath } = await startControl(t, {
    reload: async onProgress => {
      onProgress({ event: 'replaced', worker: '1' })
      onProgress({ event: 'replaced', worker: '2' })
      return { replaced: 2 }
    },
  })
  const answer = await ask(socketPath, { ...routes.reload, headers: events })
  t.match(answer, { status: 200, headers: { 'content-type': contentTypes.events } })
  t.strictSame(eventsOf(answer), [
    { event: 'replaced', worker: '1' },
    { event: 'replaced', worker: '2' },
    { event: 'done', replaced: 2 },
  ])
})

void t.test('the stream of a reload begins before the reload is over', async t => {
  const { socketPath, server } = await startControl(t, { reload: () => new Promise(() => undefined) })
  const request = http.request({ socketPath, ...routes.reload, headers: events, agent: false }).end()
  const [response] = (await once(request, 'response')) as [http.IncomingMessage]
  t.equal(response.statusCode, 200)
  response.on('error', () => undefined)
  await server.stop()
})

void t.test('a stop streams one event to a client that asks for events', async t => {
  const { socketPath } = await startControl(t)
  const answer = await ask(socketPath, { ...routes.stop, headers: events })
  t.strictSame(eventsOf(answer), [{ event: 'stopping', pid: process.pid }])
})

void t.test('a failed reload is a problem with the last lines of the worker', async t => {
  const { socketPath } = await startControl(t, { reload: () => Promise.reject(workerFailed()) })
  const answer = await ask(socketPath, routes.reload)
  t.match(answer, { status: 500, headers: { 'content-type': contentTypes.problem } })
  t.match(JSON.parse(answer.text), {
    code: 'RELOAD_FAILED',
    title: 'Internal Server Error',
    detail: 'the new worker 3 did not become ready',
    lastLines: ['boom'],
  })
  const stream = await ask(socketPath, { ...routes.reload, headers: events })
  t.strictSame(eventsOf(stream), [
    {
      event: 'failed',
      error: { code: 'RELOAD_FAILED', message: 'the new worker 3 did not become ready', lastLines: ['boom'] },
    },
  ])
})

void t.test(
  'a command that throws is answered with a problem that names the error, and the server keeps running',
  async t => {
    let failure: Error | undefined = new Error('no such worker')
    const { socketPath } = await startControl(t, {
      status: () => {
        if (failure !== undefined) throw failure
        return aStatus
      },
    })
    t.match(await ask(socketPath, routes.status), {
      status: 500,
      text: /"code":"COMMAND_FAILED","detail":"The command failed inside Outpost: no such worker"/,
    })
    failure = Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' })
    t.match(await ask(socketPath, routes.status), {
      text: /"detail":"The command failed inside Outpost: the disk is full"/,
    })
    failure = undefined
    t.match(await ask(socketPath, routes.status), { status: 200 })
  },
)

void t.test('a request that is not a command is refused and changes nothing', async t => {
  const { socketPath, carriedOut } = await startControl(t)
  t.match(await ask(socketPath, { path: '/v1/rm' }), problem('UNKNOWN_ROUTE'))
  t.match(await ask(socketPath, { path: '/' }), problem('UNKNOWN_ROUTE'))
  const wrongMethod = await ask(socketPath, { method: 'GET', path: routes.reload.path })
  t.match(wrongMethod, problem('WRONG_METHOD'))
  t.equal(wrongMethod.headers.allow, 'POST')
  const withBody = { ...routes.reload, headers: { 'content-length': 2 } }
  t.match(await ask(socketPath, withBody, '{}'), problem('UNEXPECTED_BODY'))
  t.match(await ask(socketPath, { ...routes.reload, headers: { 'transfer-encoding': 'chunked' } }, '{}'), {
    status: 400,
  })
  t.strictSame(carriedOut, [])
})

void t.test('bytes that are not HTTP are answered, and their connection is closed', async t => {
  const { socketPath } = await startControl(t)
  t.match(await send(socketPath, '{"command":"reload"}\n'), /^HTTP\/1\.1 400 .*"code":"MALFORMED_COMMAND"/s)
  const longHead = `GET /v1/status HTTP/1.1\r\nhost: x\r\nlong: ${'x'.repeat(64 * 1024)}`
  t.match(await send(socketPath, longHead), /^HTTP\/1\.1 431 .*"code":"COMMAND_TOO_LARGE"/s)
  t.match(await ask(socketPath, routes.status), { status: 200 })
})

void t.test('a head that does not arrive is given up', async t => {
  const { socketPath } = await startControl(t)
  t.match(await send(socketPath, 'GET /v1/st'), /^HTTP\/1\.1 408 .*"code":"COMMAND_TIMEOUT"/s)
})

void t.test('a body without an end does not keep its connection', async t => {
  const { socketPath, carriedOut } = await startControl(t)
  const head = 'POST /v1/reload HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n'
  t.match(await send(socketPath, `${head}5\r\nabc`), /^HTTP\/1\.1 400 .*"code":"UNEXPECTED_BODY"/s)
  t.strictSame(carriedOut, [])
})

void t.test('a client that leaves during a reload harms nothing', async t => {
  let end: () => void = () => undefined
  const { socketPath, carriedOut } = await startControl(t, {
    reload: onProgress =>
      new Promise(resolve => {
        end = () => {
          onProgress({ event: 'replaced', worker: '1' })
          resolve({ replaced: 1 })
        }
      }),
  })
  for (const headers of [events, {}]) {
    const before = carriedOut.length
    const request = http.request({ socketPath, ...routes.reload, headers, agent: false }).end()
    const closed = new Promise(resolve => request.on('error', () => undefined).once('close', resolve))
    await until(() => carriedOut.length > before, 'the reload to begin')
    request.destroy()
    await closed
    end()
  }
  t.match(await ask(socketPath, routes.status), { status: 200 })
})

void t.test('a stop of the server fails a reload under way and waits for no client', async t => {
  const { server, socketPath, carriedOut } = await startControl(t, { reload: () => new Promise(() => undefined) })
  const idle = net.connect(socketPath)
  idle.on('error', () => undefined)
  await once(idle, 'connect')
  const reload = ask(socketPath, routes.reload)
  const stream = ask(socketPath, { ...routes.reload, headers: events })
  await until(() => carriedOut.length === 2, 'both reloads to begin')
  await Promise.all([server.stop(), server.stop()])
  t.match(await reload, problem('STOPPING'))
  t.match(eventsOf(await stream), [{ event: 'failed', error: { code: 'STOPPING' } }])
})

void t.test('a scale takes the counts that change and answers with all of them', async t => {
  const { socketPath, carriedOut } = await startControl(t)
  t.match(await ask(socketPath, routes.scale, '{"workers":4}'), { status: 200, text: '{"workers":4,"balancers":1}\n' })
  t.strictSame(carriedOut, ['scale {"workers":4}'])
})

void t.test('a scale whose body is not a count of processes is refused and changes nothing', async t => {
  const { socketPath, carriedOut } = await startControl(t)
  const bodies = ['', 'four', '{"workers":0}', '{"workers":1.5}', '{"workers":1025}', '{"worker":4}', 'null', '[4]']
  for (const body of [...bodies, `{"workers":4}${' '.repeat(2_000)}`]) {
    t.match(await ask(socketPath, routes.scale, body), problem('INVALID_BODY'), body.slice(0, 20))
  }
  t.strictSame(carriedOut, [])
})

void t.test('a refused body is told what is wrong with it, without a value', async t => {
  const { socketPath } = await startControl(t)
  const detail = async (body: object): Promise<string> => {
    const { text } = await ask(socketPath, routes.setEnvironment, JSON.stringify(body))
    return (JSON.parse(text) as { detail: string }).detail
  }
  t.match(
    await detail({ set: { TOKEN: `secret${'x'.repeat(70_000)}` } }),
    /accepts: set\.TOKEN: Too big: .{1,40}65536 characters$/,
  )
  t.match(await detail({ set: { TOKEN: 'secret\0' } }), /accepts: set\.TOKEN: the value has a NUL$/)
  t.match(await detail({ set: { A: 'x'.repeat(300_000) } }), /accepts: the body is longer than 256 KiB$/)
  t.match(await detail({ sett: {} }), /accepts: Unrecognized key: "sett"$/)
})

void t.test('the log is a document, or events that end with it', async t => {
  const lines = ['one', 'two', 'three']
  const log: Log = { read: count => ({ lines: lines.slice(-count), stop: () => undefined }) }
  const { socketPath } = await startControl(t, { log })
  const { path } = routes.logs
  t.strictSame(JSON.parse((await ask(socketPath, { path })).text), { lines })
  t.strictSame(JSON.parse((await ask(socketPath, { path: `${path}?lines=2` })).text), { lines: ['two', 'three'] })
  t.strictSame(eventsOf(await ask(socketPath, { path: `${path}?lines=1`, headers: events })), [
    { event: 'line', line: 'three' },
    { event: 'end' },
  ])
  for (const query of ['lines=-1', 'lines=x', 'follow=yes', 'rows=1']) {
    t.match(await ask(socketPath, { path: `${path}?${query}` }), problem('INVALID_QUERY'), query)
  }
})

void t.test('the wait for the first answer ends with the status', async t => {
  const { socketPath, carriedOut } = await startControl(t)
  t.strictSame(JSON.parse((await ask(socketPath, routes.serving)).text), aStatus)
  t.strictSame(carriedOut, ['serving', 'status'])
})

void t.test('the wait for the first answer fails with the worker that failed', async t => {
  const { socketPath } = await startControl(t, { serving: () => Promise.reject(workerFailed()) })
  t.match(JSON.parse((await ask(socketPath, routes.serving)).text), { code: 'START_FAILED', lastLines: ['boom'] })
})

void t.test('a pause and maintenance take what their schema says, and no body is the default of a pause', async t => {
  const { socketPath, carriedOut } = await startControl(t)
  t.match(await ask(socketPath, routes.pause), { status: 200, text: /^{"since":/ })
  t.match(await ask(socketPath, routes.pause, '{"seconds":5,"drain":true}'), { status: 200 })
  t.match(await ask(socketPath, routes.resume), { status: 200, text: '{"pausedMs":1}\n' })
  const page = 'ä'.repeat(200_000)
  t.match(await ask(socketPath, routes.maintain, JSON.stringify({ on: true, page })), { text: '{"on":true}\n' })
  t.strictSame(carriedOut, [
    'pause {"seconds":30,"drain":false}',
    'pause {"seconds":5,"drain":true}',
    'resume',
    'maintain true',
  ])
  const bad: [keyof typeof routes, object][] = [
    ['pause', { seconds: 0 }],
    ['pause', { seconds: 3_601 }],
    ['pause', { minutes: 1 }],
    ['maintain', {}],
    ['maintain', { on: 'yes' }],
    ['maintain', { on: true, retryAfter: 0 }],
    ['maintain', { on: true, page: 'x'.repeat(300_000) }],
  ]
  for (const [route, body] of bad) {
    const text = JSON.stringify(body)
    t.match(await ask(socketPath, routes[route], text), problem('INVALID_BODY'), text.slice(0, 40))
  }
  t.equal(carriedOut.length, 4)
})

void t.test('a release to activate is named in the path', async t => {
  const { socketPath, carriedOut } = await startControl(t)
  const post = { method: 'POST' }
  t.match(await ask(socketPath, { ...post, path: '/v1/releases/r7/activate?stages=20:10' }), {
    text: '{"release":"r7"}\n',
  })
  t.strictSame(carriedOut, ['activate r7'])
  t.match(await ask(socketPath, { ...post, path: '/v1/releases/r7/activate?stages=x' }), problem('INVALID_QUERY'))
  for (const path of [
    '/v1/releases//activate',
    '/v1/releases/a/b/activate',
    '/v1/releases/../activate',
    '/v1/releases/activate',
  ]) {
    t.match(await ask(socketPath, { ...post, path }), problem('UNKNOWN_ROUTE'), path)
  }
  const wrong = await ask(socketPath, { method: 'GET', path: '/v1/releases/r7/activate' })
  t.match(wrong, { ...problem('WRONG_METHOD'), headers: { allow: 'POST' } })
})

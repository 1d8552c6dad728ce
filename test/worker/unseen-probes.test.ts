import { subscribe } from 'node:diagnostics_channel'
import http, { type IncomingMessage } from 'node:http'
import t from 'tap'
import { WorkerServer } from '#src/worker/worker-server.js'
import { socketPathFor } from '../helpers/fake-target.js'
import { RawConnection, rawExchange, requestBytes } from '../helpers/raw-http.js'

const KEY = 'key-of-this-boot'
const envelope = (says: string, key = KEY): string => `X-Outpost-Client: ${key} ${says}`
const CLIENT = 'http 4711 192.0.2.1'

const seen: string[] = []
subscribe('http.server.request.start', message => {
  seen.push((message as { request: IncomingMessage }).request.url ?? '')
})

const door = { owns: () => false, handleRequest: () => undefined, handleUpgrade: () => undefined }

void t.test('observers of the servers of a process see the requests of clients, and no health check', async t => {
  const app = http.createServer(({ url }, response) => void response.end(url))
  const path = socketPathFor(t)
  const config = { maxHeaderBytes: 16_384, healthPath: undefined }
  await new WorkerServer(app, { socketPath: path, identityKey: KEY, config }, door).start()
  t.teardown(() => app.close())
  const ask = (target: string, ...headers: string[]): Promise<{ status: number }> =>
    rawExchange(path, requestBytes(`GET ${target}`, headers))

  t.match(await ask('/probe', envelope('probe')), { status: 204 })
  t.match(await ask('/forged', envelope('probe', 'key-of-another-1')), { status: 403 })
  const client = await RawConnection.open(path)
  t.teardown(() => client.destroy())
  for (const target of ['/first', '/second']) {
    const { status, body } = await client.write(requestBytes(`GET ${target}`, [envelope(CLIENT)])).response()
    t.equal(status, 200)
    t.equal(body.toString(), target)
  }
  t.match(await ask('/probe', envelope('probe')), { status: 204 })
  t.strictSame(seen, ['/forged', '/first', '/second'])
})

void t.test('a health check that its observers have seen does not reach the app', async t => {
  const asked: (string | undefined)[] = []
  const app = http.createServer(({ url }, response) => {
    asked.push(url)
    response.end()
  })
  const path = socketPathFor(t)
  const config = { maxHeaderBytes: 16_384, healthPath: undefined }
  await new WorkerServer(app, { socketPath: path, identityKey: KEY, config }, door).start()
  t.teardown(() => app.close())
  const connection = await RawConnection.open(path)
  t.teardown(() => connection.destroy())
  t.match(await connection.write(requestBytes('GET /first', [envelope(CLIENT)])).response(), { status: 200 })
  t.match(await connection.write(requestBytes('GET /probe', [envelope('probe')])).response(), { status: 204 })
  t.strictSame(asked, ['/first'])
})

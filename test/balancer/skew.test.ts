import { gunzipSync, gzipSync } from 'node:zlib'
import t from 'tap'
import { FakeTarget, type TargetHandler } from '../helpers/fake-target.js'
import { requestBytes } from '../helpers/raw-http.js'
import { RunningBalancer } from '../helpers/running-balancer.js'

const FOREVER = { 'cache-control': 'public, max-age=31536000, immutable' }
const BIG = 'x'.repeat(300_000)

/** The files of the release before. */
const old: TargetHandler = ({ url, headers }, response) => {
  if (url === '/big.js')
    response.writeHead(200, FOREVER).write(BIG.slice(0, 100_000), () => response.end(BIG.slice(100_000)))
  else if (url === '/zip.js' && headers['accept-encoding'] === 'gzip') {
    response.writeHead(200, { ...FOREVER, vary: 'Accept-Encoding', 'content-encoding': 'gzip' }).end(gzipSync('zipped'))
  } else if (url === '/page') response.end('a page')
  else response.writeHead(200, { ...FOREVER, 'content-type': 'text/javascript', 'x-old': '1' }).end(`old ${url}`)
}

const gone: TargetHandler = (request, response) => {
  if (request.url === '/slow')
    response.writeHead(404).write('nothing', () => setTimeout(() => response.end(' here'), 50))
  else request.resume().once('end', () => response.writeHead(404).end('nothing here'))
}

void t.test('answers that never change are served for a while after their release has gone', async t => {
  const [before, after] = [await FakeTarget.start(t, 'old', old), await FakeTarget.start(t, 'new', gone)]
  const running = await RunningBalancer.start(t, [before])
  const client = await running.connect()
  for (const url of ['/app.js', '/slow', '/big.js', '/page']) {
    t.equal((await client.write(requestBytes(`GET ${url}`)).response()).status, 200, url)
  }
  const zip = requestBytes('GET /zip.js', ['Accept-Encoding: gzip'])
  await client.write(zip).response()
  await running.setTargets(after)
  t.equal((await client.write(requestBytes('GET /app.js')).response()).status, 404, 'not before it is said so')
  const asked = before.requests.length
  running.balancer.setEdge({ mixedUntil: Date.now() + 60_000 })

  const copy = await client.write(requestBytes('GET /app.js')).response()
  t.match(copy, { status: 200, headers: { ...FOREVER, 'content-type': 'text/javascript', 'x-old': '1' } })
  t.equal(copy.body.toString(), 'old /app.js')
  t.ok(copy.headers['x-request-id'])
  t.equal((await client.write(requestBytes('GET /slow')).response()).body.toString(), 'old /slow')
  t.equal((await client.write(requestBytes('GET /big.js')).response()).body.toString(), BIG)
  t.equal(gunzipSync((await client.write(zip).response()).body).toString(), 'zipped')
  const head = await client.write(requestBytes('HEAD /app.js')).response({ head: true })
  t.match(head, { status: 200, headers: { 'content-length': '11' } })
  for (const line of ['GET /page', 'GET /other.js', 'POST /app.js', 'GET /zip.js']) {
    t.equal((await client.write(requestBytes(line)).response()).status, 404, line)
  }
  t.equal(before.requests.length, asked, 'old code does not run')
  await running.quiet(1)
})

void t.test('a client in a preview gets no copies of another release', async t => {
  const target = await FakeTarget.start(t, 'a', old)
  const running = await RunningBalancer.start(t, [target])
  const client = await running.connect()
  await client.write(requestBytes('GET /app.js')).response()
  const looked = await FakeTarget.start(t, 'b', gone)
  await running.setTargets(target, looked)
  running.balancer.setTargets([target.spec, { ...looked.spec, release: 'r2', share: 0 }])
  running.balancer.setEdge({ preview: { release: 'r2', token: 'r2.x' }, mixedUntil: Date.now() + 60_000 })
  const hosted = await running.connect()
  t.equal((await hosted.write('GET /app.js HTTP/1.1\r\nHost: r2.preview.a\r\n\r\n').response()).status, 404)
})

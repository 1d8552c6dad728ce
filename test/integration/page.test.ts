import t from 'tap'
import { ask } from '../helpers/client.js'
import { Cluster } from '../helpers/cluster.js'

void t.test('the page does not count against the rate limit, and a second request for it is answered 304', async t => {
  const cluster = await Cluster.start(t, { RATE_LIMIT_MAX: '1', WORKERS: '1' })
  for (const path of ['/', '/assets/main.js', '/assets/style.css', '/assets/icon.svg', '/socket.io/socket.io.min.js']) {
    const first = await ask(cluster.url, path)
    t.equal(first.status, 200, path)
    t.ok(first.headers['cache-control'], `${path} says how long it may be kept`)
    const again = await ask(cluster.url, path, { headers: { 'if-none-match': first.headers.etag } })
    t.equal(again.status, 304, `${path} again`)
  }
  const { headers } = await ask(cluster.url, '/')
  t.match(headers['content-security-policy'], /default-src 'none'/)
  t.notMatch(headers['content-security-policy'], /upgrade-insecure-requests|unsafe/)
  t.equal(headers['strict-transport-security'], undefined)
  t.equal((await ask(cluster.url, '/assets/tsconfig.json')).status, 404)
})

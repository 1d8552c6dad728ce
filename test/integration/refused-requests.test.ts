import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { Cluster } from '../helpers/cluster.js'
import { fixture } from '../helpers/fixtures.js'
import { rawExchange, requestBytes } from '../helpers/raw-http.js'

for (const BALANCERS of ['1', '0']) {
  void t.test(`refused framing and refused senders are log lines, with BALANCERS=${BALANCERS}`, async t => {
    const env = { APP: fixture('exported-app.js'), WORKERS: '1', BALANCERS, EMBED: 'none' }
    const cluster = await Cluster.start(t, env)
    const twice = requestBytes('GET /', [
      'Content-Length: 0',
      'Transfer-Encoding: chunked',
      'Transfer-Encoding: chunked',
    ])
    t.match(await rawExchange(cluster.port, twice), { status: 400 })
    const line = await cluster.printed(/"security":"framing-refused"/)
    t.match(JSON.parse(line), { level: 'warn', client: '127.0.0.1', msg: /^request was refused: BAD_/ })

    const run = join(cluster.dataDir, 'run')
    const socket = readdirSync(run).find(name => name.startsWith('worker-'))
    t.match(await rawExchange(join(run, socket ?? ''), requestBytes('GET /')), { status: 403 })
    t.match(JSON.parse(await cluster.printed(/"security":"identity-refused"/)), { level: 'warn' })
    t.match(await cluster.stop(), { code: 0 })
  })
}

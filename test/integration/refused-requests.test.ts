import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { framesPathOf } from '#balancer/contract/frames.js'
import { Cluster } from '../helpers/cluster.js'
import { until } from '../helpers/deadline.js'
import { fixture } from '../helpers/fixtures.js'
import { RawConnection, rawExchange, requestBytes } from '../helpers/raw-http.js'

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
    const socketPath = join(run, readdirSync(run).find(name => /^worker-.*\.sock$/.test(name)) ?? '')
    t.match(await rawExchange(socketPath, requestBytes('GET /')), { status: 403 })
    const refused = (): string[] => cluster.lines.filter(line => line.includes('"security":"identity-refused"'))
    await until(() => refused().length === 1, 'the sender to be in the log')
    t.match(JSON.parse(refused()[0] ?? ''), { level: 'warn' })
    // Mesh mode has no socket for frames.
    if (BALANCERS === '1') {
      const frames = await RawConnection.open(framesPathOf(socketPath))
      frames.write('x'.repeat(100))
      await frames.closed
      await until(() => refused().length === 2, 'the sender of frames to be in the log')
    }
    t.match(await cluster.stop(), { code: 0 })
  })
}

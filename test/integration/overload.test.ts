import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { ask, jsonOf } from '../helpers/client.js'
import { Cluster } from '../helpers/cluster.js'
import { until } from '../helpers/deadline.js'
import { fixture } from '../helpers/fixtures.js'

for (const BALANCERS of ['1', '0']) {
  void t.test(`requests over MAX_IN_FLIGHT are answered 503, with BALANCERS=${BALANCERS}`, async t => {
    const env = { APP: fixture('instrumented-app.js'), EMBED: 'none', WORKERS: '1', MAX_IN_FLIGHT: '3', BALANCERS }
    const cluster = await Cluster.start(t, env)
    const { url } = cluster
    const go = join(cluster.dataDir, 'go')
    const begun = (): number => cluster.lines.filter(line => line.includes('waiting for')).length

    const inside = Array.from({ length: 3 }, () => ask(url, `/wait?until=${go}`))
    await until(() => begun() === 3, 'the worker to be full')

    const over = ['GET', 'GET', 'POST'].map(method => ask(url, `/wait?until=${go}`, { method }))
    for (const answer of await Promise.all(over)) {
      t.match(answer, {
        status: 503,
        headers: { 'retry-after': /^[1-9]\d*$/, 'content-type': 'application/problem+json' },
      })
      t.match(jsonOf(answer), { status: 503, code: 'OVERLOADED', requestId: answer.headers['x-request-id'] })
    }
    t.equal(begun(), 3, 'the app has received none of them')

    writeFileSync(go, '')
    for (const answer of await Promise.all(inside)) t.equal(answer.status, 200)
    const later = Array.from({ length: 3 }, () => ask(url, '/whoami'))
    for (const answer of await Promise.all(later)) t.equal(answer.status, 200)
    t.match(await cluster.stop(), { code: 0 })
  })
}

import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { ask } from '../helpers/client.js'
import { Cluster, failureOf } from '../helpers/cluster.js'
import { until } from '../helpers/deadline.js'
import { temporaryFolder } from '../helpers/harness.js'

const GOOD = 'export default (request, response) => response.end(`good ${process.pid}`)'

/** Releases that never work, and the error of their reload. */
const releases = {
  'never gets ready': {
    env: {},
    code: `console.log('waiting for a table'); await new Promise(resolve => setTimeout(resolve, 1e9))\n${GOOD}`,
    error: /did not become ready \(not ready within 30 s\); the old workers keep serving/,
  },
  'is not healthy': {
    // Without a path, an answer of 500 is the app's own business.
    env: { HEALTH_PATH: '/' },
    code: `console.log('waiting for a table'); ${GOOD.replace('response.end', 'response.writeHead(500).end')}`,
    error: /did not last \(not healthy within 30 s\); the old workers keep serving/,
  },
}

// All of the time is spent waiting.
t.jobs = 4

for (const [what, { env, code, error }] of Object.entries(releases)) {
  for (const BALANCERS of ['1', '0']) {
    void t.test(`a reload fails when the release ${what}, with BALANCERS=${BALANCERS}`, async t => {
      const APP = join(temporaryFolder(t), 'app.mjs')
      writeFileSync(APP, GOOD)
      const cluster = await Cluster.start(t, { APP, BALANCERS, START_TIMEOUT_MS: '30000', ...env })
      const bothAnswer = async (): Promise<boolean> => pids.add((await ask(cluster.url, '/')).text).size === 2
      const pids = new Set<string>()
      await until(bothAnswer, 'both to have loaded the good one')
      const before = cluster.pids('worker')
      writeFileSync(APP, code)
      const failure = await failureOf(cluster.reload())
      t.match(failure, { code: 'RELOAD_FAILED', message: error })
      t.match(failure.lastLines?.join('\n'), 'waiting for a table')
      await cluster.has('worker', 2)
      t.strictSame(cluster.pids('worker'), before)
      t.match(await ask(cluster.url, '/'), { status: 200, text: /^good/ })
      t.match(await cluster.stop(), { code: 0 })
    })
  }
}

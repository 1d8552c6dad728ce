import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { ask, jsonOf } from '../helpers/client.js'
import { Cluster } from '../helpers/cluster.js'
import { until } from '../helpers/deadline.js'
import { fixture } from '../helpers/fixtures.js'
import { RawConnection, requestBytes } from '../helpers/raw-http.js'

// Most of the time is spent waiting, so two tests run at once.
t.jobs = 2

for (const BALANCERS of ['1', '0']) {
  void t.test(`a stop is graceful and bounded, with BALANCERS=${BALANCERS}`, async t => {
    const APP = fixture('factory-app.js')

    await t.test('slow requests are answered before the stop, and no new ones are accepted', async t => {
      const cluster = await Cluster.start(t, { APP, BALANCERS })
      // A connection whose request has not begun would not be closed by an answer.
      const begun = new Set<unknown>()
      await until(async () => begun.add(jsonOf(await ask(cluster.url, '/whoami'))['pid']).size === 2, 'both workers')
      const file = join(cluster.dataDir, 'go')
      const answers = ['GET', 'POST'].map(method => ask(cluster.url, `/wait?until=${file}`, { method }))
      await until(() => cluster.lines.filter(line => line.includes('waiting for')).length === 2, 'both to begin')
      cluster.signal('SIGTERM')
      const refused = (): Promise<boolean> =>
        ask(cluster.url, '/whoami').then(
          () => false,
          () => true,
        )
      await until(refused, 'the port to refuse', 10_000)
      t.equal(cluster.ended, undefined, 'the instance waits for the slow requests')
      writeFileSync(file, '')
      for (const answer of await Promise.all(answers)) t.match(answer, { status: 200 })
      t.match(await cluster.exited, { code: 0 })
      t.equal(cluster.lines.filter(line => line.includes('the app has closed its things')).length, 2)
      await cluster.gone()
    })

    await t.test('idle kept connections do not delay a stop', async t => {
      const cluster = await Cluster.start(t, { APP, BALANCERS, SHUTDOWN_TIMEOUT_MS: '300000' })
      const client = await RawConnection.open(cluster.port)
      t.teardown(() => client.destroy())
      t.equal((await client.write(requestBytes('GET /whoami')).response()).status, 200)
      t.match(await cluster.stop(), { code: 0 })
      await cluster.gone()
    })

    await t.test('a request that does not end is cut at the deadline', async t => {
      const cluster = await Cluster.start(t, { APP, BALANCERS, WORKERS: '1', SHUTDOWN_TIMEOUT_MS: '500' })
      const answer = ask(cluster.url, '/wait?until=/never').catch((error: unknown) => error)
      await cluster.printed(/waiting for/)
      t.match(await cluster.stop(), { code: 0 })
      t.ok((await answer) instanceof Error)
    })

    await t.test('a second signal ends the instance at once', async t => {
      const cluster = await Cluster.start(t, { APP, BALANCERS, WORKERS: '1' })
      const answer = ask(cluster.url, '/wait?until=/never').catch((error: unknown) => error)
      await cluster.printed(/waiting for/)
      cluster.signal('SIGTERM')
      await cluster.printed(/"instance is stopping: SIGTERM"/)
      t.strictSame(await cluster.stop('SIGTERM'), { code: 1, signal: null })
      t.ok((await answer) instanceof Error)
    })
  })
}

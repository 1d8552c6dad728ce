import { readFileSync, watch, writeFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import t from 'tap'
import { ask } from '../helpers/client.js'
import { until } from '../helpers/deadline.js'
import { appThatSays, deploy } from '../helpers/releases.js'
import { early, killsDuring, late, Starts } from './suites/killed-deploy.js'

// Most of the time is spent waiting, so two tests run at once.
t.jobs = 2

// With a balancer it is a proof.
void t.test('a deploy is cut off while workers of the new release run, in mesh mode', async t => {
  const starts = await Starts.first(t, { BALANCERS: '0' })
  await killsDuring(t, starts, late)
  t.match(await starts.cluster.stop(), { code: 0 })
})

void t.test('a deploy is cut off before workers of the new release run, or at its end', async t => {
  const starts = await Starts.first(t)

  await t.test('after a kill of the primary right after a deploy, the next start serves the new release', async t => {
    t.equal((await ask(starts.cluster.url, '/')).text, 'one')
    await starts.kill()
    t.strictSame(await starts.again(t), { texts: ['200 one'], live: 'r1' })
  })

  await killsDuring(t, starts, early)

  for (const [what, fileOf] of [
    ['the new release is noted as good', (id: string) => `${id}/release.json`],
    ['the new release is recorded as the live one', () => 'state.json'],
  ] as const) {
    await t.test(`after a kill of the primary at the moment when ${what}, one release is served whole`, async t => {
      const { cluster, served } = starts
      const releases = join(cluster.dataDir, 'releases')
      let isFilling = false
      const deployed = deploy(t, cluster, appThatSays(what), '', ({ event }) => {
        if (event === 'filling') isFilling = true
      })
      deployed.catch(() => undefined)
      await until(() => isFilling, 'the last step')
      const { last } = JSON.parse(readFileSync(join(releases, 'state.json'), 'utf8')) as { last: number }
      const id = `r${last}`
      const path = join(releases, fileOf(id))
      const watcher = watch(dirname(path), (_event, name) => {
        if (name === basename(path)) cluster.signal('SIGKILL')
      })
      t.teardown(() => watcher.close())
      await cluster.exited
      watcher.close()
      const { texts, live } = await starts.again(t)
      t.strictSame(texts, live === id ? [`200 ${what}`] : served.texts)
      if (fileOf(id) === 'state.json') t.equal(live, id, 'the record counts')
    })
  }

  await t.test(
    'after a power cut that has damaged the live release, the next start serves the previous one, and says so',
    async t => {
      const { cluster, served } = starts
      const { release } = await deploy(t, cluster, appThatSays('damaged'))
      await starts.kill()
      await cluster.gone()
      writeFileSync(join(cluster.dataDir, 'releases', release, 'app', 'app.js'), '')
      t.strictSame(await starts.again(t), served)
      const log = readFileSync(join(cluster.dataDir, 'logs', 'outpost.log'), 'utf8')
      t.match(log, new RegExp(`live release ${release} is damaged: .*app\\.js is empty; ${served.live} is served`))
    },
  )
  t.match(await starts.cluster.stop(), { code: 0 })
})

import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { ask } from '../helpers/client.js'
import { Cluster } from '../helpers/cluster.js'
import { until } from '../helpers/deadline.js'
import { MODES } from '../helpers/modes.js'
import { folderOf } from '../helpers/releases.js'

/** Listens at once, and says that it is ready when the file WARM exists. */
const app = `
const { existsSync } = require('node:fs')
let isWarm = false
require('node:http').createServer((request, response) => response.end(isWarm + ' ' + process.pid)).listen(process.env.PORT, () => {
  console.log('it listens: ' + process.pid)
  const timer = setInterval(() => {
    if (!existsSync(process.env.WARM)) return
    clearInterval(timer)
    isWarm = true
    process.send('ready')
  }, 20)
})
`

for (const [mode, BALANCERS] of Object.entries(MODES)) {
  void t.test(`a worker gets no request before its app has said that it is ready, in ${mode}`, async t => {
    const folder = folderOf(t, { 'app.js': app })
    const WARM = join(folder, 'warm')
    writeFileSync(WARM, '')
    const settings = { BALANCERS, WARM, WORKERS: '1', EMBED: 'none', APP_READY: 'message' }
    const cluster = await Cluster.start(t, { ...settings, APP: join(folder, 'app.js') })
    const before = (await ask(cluster.url, '/')).text
    t.match(before, /^true /)
    rmSync(WARM)
    const listening = (): number => cluster.lines.filter(line => line.includes('it listens: ')).length
    const reloaded = cluster.reload()
    await until(() => listening() === 2, 'the listener of the next worker')
    for (let i = 0; i < 5; i++) t.equal((await ask(cluster.url, '/')).text, before, 'the worker before it answers')
    writeFileSync(WARM, '')
    await reloaded
    const after = (await ask(cluster.url, '/')).text
    t.match(after, /^true /)
    t.not(after, before)
    t.match(await cluster.stop(), { code: 0 })
  })
}

void t.test('a worker whose app never says so is not used, and the log says why', async t => {
  const folder = folderOf(t, { 'app.js': app })
  const settings = { WARM: '/nowhere', WORKERS: '1', EMBED: 'none', START_TIMEOUT_MS: '1500' }
  const cluster = await Cluster.start(t, { ...settings, APP: join(folder, 'app.js') })
  t.match((await ask(cluster.url, '/')).text, /^false /, 'without APP_READY a listener suffices')
  await cluster.stop()
  const waiting = Cluster.spawn(t, { ...settings, APP: join(folder, 'app.js'), APP_READY: 'message' })
  await waiting.printed(/not ready within 1\.5 s: app listens, but has not called process\.send\('ready'\)/)
})

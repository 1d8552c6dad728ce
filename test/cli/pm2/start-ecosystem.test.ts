import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { ControlClient } from '#src/control/client.js'
import { ask } from '../../helpers/client.js'
import { Shell } from '../../helpers/command.js'
import { until } from '../../helpers/deadline.js'

const APP = `
const { argv, env, execArgv } = process
const told = [env.NODE_ENV, env.SHARD, env.NODE_APP_INSTANCE, argv.slice(2), require('v8').getHeapStatistics().heap_size_limit]
require('http').createServer((request, response) => response.end(JSON.stringify(told))).listen(env.PORT)
`

const ECOSYSTEM = `
module.exports = {
  apps: [{
    name: 'shop',
    script: './app.js',
    instances: 2,
    exec_mode: 'cluster',
    args: ['--blue', 'two words'],
    node_args: '--max-old-space-size=64',
    increment_var: 'SHARD',
    max_memory_restart: '300M',
    kill_timeout: 5000,
    listen_timeout: 20000,
    watch: ['lib'],
    ignore_watch: ['*.log'],
    autorestart: false,
    env: { NODE_ENV: 'development', SHARD: 10 },
    env_production: { NODE_ENV: 'production' },
  }],
}
`

void t.test('an app of an ecosystem file runs as the file says', async t => {
  const shell = new Shell(t)
  writeFileSync(join(shell.folder, 'app.js'), APP)
  writeFileSync(join(shell.folder, 'ecosystem.config.js'), ECOSYSTEM)
  mkdirSync(join(shell.folder, 'lib'))
  const env = { WORKERS: '' }
  const ran = await shell.run(['start', 'ecosystem.config.js', '--env', 'production', '-d', '--json'], { env })
  t.match(ran, { code: 0, err: /^outpost: ecosystem.config.js: autorestart has no effect: .*\n$/ })
  const { url, dataDir } = JSON.parse(ran.out) as { url: string; dataDir: string }
  t.equal(dataDir, join(shell.folder, '.outpost'))
  const { wanted } = await (await ControlClient.of(dataDir)).status()
  t.match(wanted, { workers: 2 })
  const told = new Map<string, unknown[]>()
  await until(async () => {
    const [mode, shard, instance, ...others] = JSON.parse((await ask(url, '/')).text) as [string, string, string]
    told.set(instance, [mode, shard, ...others])
    return told.size === 2
  }, 'an answer of each worker')
  for (const [instance, [mode, shard, args, heap]] of told) {
    t.strictSame([mode, shard, args], ['production', String(10 + Number(instance)), ['--blue', 'two words']])
    t.ok(Number(heap) < 200 * 1024 ** 2, `the app's heap is limited: ${String(heap)}`)
  }
  // Only what is not ignored reloads the app.
  const client = await ControlClient.of(dataDir)
  writeFileSync(join(shell.folder, 'lib/noise.log'), 'x')
  writeFileSync(join(shell.folder, 'lib/data.js'), 'x')
  const generations = async (): Promise<number[]> => {
    const { processes } = await client.status()
    return processes.filter(({ role, state }) => role === 'worker' && state === 'ready').map(each => each.generation)
  }
  await until(async () => (await generations()).join() === '1,1', 'a reload', 20_000)
  const lines: string[] = []
  for await (const event of client.logs(1_000, false)) if (event.event === 'line') lines.push(event.line)
  t.match(lines.join('\n'), /app is reloaded: lib\/data\.js has changed/)
})

void t.test('options of ecosystem files are refused elsewhere', async t => {
  const shell = new Shell(t)
  t.match(await shell.run(['start', 'app.js', '--env', 'production']), { code: 64, err: /are for an ecosystem file/ })
})

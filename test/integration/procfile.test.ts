import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { ControlClient } from '#src/control/client.js'
import type { ProcessStatus } from '#src/control/protocol.js'
import { ask } from '../helpers/client.js'
import { Cluster, failureOf } from '../helpers/cluster.js'
import { until } from '../helpers/deadline.js'
import { appThatSays, deploy, folderOf } from '../helpers/releases.js'
import { isAlive } from '../helpers/processes.js'

// Most of the time is spent waiting, so two tests run at once.
t.jobs = 2

/** Tells its start and its end, starts a process of its own, and goes on until SIGTERM. */
const worker = (name: string): string => `
import { spawn } from 'node:child_process'
const own = spawn('sleep', ['600'])
console.log(JSON.stringify({ up: '${name}', pid: process.pid, own: own.pid, place: process.env.NODE_APP_INSTANCE, queue: process.env.QUEUE, cwd: process.cwd() }))
process.on('SIGTERM', () => {
  console.log('down ${name}')
  process.exit(0)
})
setInterval(() => undefined, 1_000)
`

const app = (name: string): Record<string, string> => ({
  ...appThatSays(name),
  'worker.js': worker(name),
  Procfile: 'web: node app.js\nrelease: true\nworker: QUEUE=mail node worker.js\nstubborn: node stubborn.js\n',
  'stubborn.js': `process.on('SIGTERM', () => undefined); console.log('stubborn ${name} ' + process.pid); setInterval(() => 0, 1000)`,
})

interface Up {
  up: string
  pid: number
  own: number
  place: string
  queue: string
  cwd: string
}

const upsOf = ({ lines }: Cluster): Up[] =>
  lines.filter(line => line.startsWith('{"up"')).map(line => JSON.parse(line) as Up)

void t.test('processes of a Procfile run', async t => {
  const folder = folderOf(t, app('start'))
  const settings = { APP: folder, WORKERS: '1', PROCESSES: 'stubborn=0', KEEP_WARM: '0', SHUTDOWN_TIMEOUT_MS: '6000' }
  const cluster = await Cluster.start(t, settings, undefined, folder)
  const client = await ControlClient.of(cluster.dataDir)
  const beside = async (): Promise<ProcessStatus[]> =>
    (await client.status()).processes.filter(({ role }) => role === 'process')
  const up = async (count: number): Promise<Up> => {
    await until(() => upsOf(cluster).length === count, `start ${count} of a worker`)
    return upsOf(cluster)[count - 1]!
  }
  /** It, and what it has started, have ended. */
  const gone = ({ pid, own }: Up): Promise<void> => until(() => !isAlive(pid) && !isAlive(own), 'the end of the group')

  const first = await up(1)

  await t.test('the web line names the app, and another line runs in its folder, with its variables', async t => {
    t.equal((await ask(cluster.url, '/')).text, 'start')
    t.match(first, { up: 'start', place: '0', queue: 'mail', cwd: folder })
    const [row] = await beside()
    t.match(row, { id: 'worker.1', state: 'ready', release: 'start', restarts: 0 })
    t.ok(row!.rssBytes > 1_000_000, `${row!.rssBytes} bytes`)
    t.strictSame((await client.status()).wanted.processes, { worker: 1, stubborn: 0 })
  })

  await t.test('a process that is killed is started again, and nothing of it is left', async t => {
    process.kill(first.pid, 'SIGKILL')
    const second = await up(2)
    await gone(first)
    t.not(second.pid, first.pid)
    t.match(await beside(), [{ id: 'worker.1', restarts: 1 }])
    await cluster.printed(/"ending":"SIGKILL".*process exited soon after its start/)
  })

  await t.test('a reload replaces a process once the workers are replaced, and ends the old one first', async t => {
    const before = upsOf(cluster).at(-1)!
    await client.reload()
    const after = await up(3)
    await gone(before)
    t.equal(after.up, 'start')
    const at = (line: string): number => cluster.lines.findIndex(each => each.includes(line))
    t.ok(at('down start') < cluster.lines.findLastIndex(each => each.startsWith('{"up"')), 'one at a time')
    t.match(await beside(), [{ generation: 1 }])
  })

  await t.test('a deploy that fails leaves a process alone, and one that succeeds replaces it', async t => {
    const before = upsOf(cluster).at(-1)!
    t.match(await failureOf(deploy(t, cluster, { ...app('bad'), 'app.js': 'process.exit(3)' })), { code: 'TAKEN_BACK' })
    t.ok(isAlive(before.pid))
    t.equal(upsOf(cluster).length, 3)
    await deploy(t, cluster, app('two'))
    t.equal((await up(4)).up, 'two')
    await gone(before)
    await client.rollback('start')
    t.equal((await up(5)).up, 'start')
  })

  await t.test('scale changes how many processes run, and an unknown name is refused', async t => {
    t.match(await client.scale({ processes: { worker: 2 } }), { workers: 1, processes: { worker: 2, stubborn: 0 } })
    t.equal((await up(6)).place, '1')
    t.match(await beside(), [{ id: 'worker.1' }, { id: 'worker.2' }])
    await client.scale({ processes: { worker: 1 } })
    await until(async () => (await beside()).length === 1, 'the end of the second')
    t.match(await failureOf(client.scale({ processes: { mailer: 1 } })), { code: 'UNKNOWN_PROCESS', message: /worker/ })
  })

  await t.test('a process that ignores SIGTERM is killed at the deadline', async t => {
    await client.scale({ processes: { stubborn: 1 } })
    const pid = Number(/stubborn start (\d+)/.exec(await cluster.printed(/^\[stubborn\.1\] stubborn start \d+/))?.[1])
    await client.scale({ processes: { stubborn: 0 } })
    await cluster.printed(/process is killed: it did not end in time/)
    await until(() => !isAlive(pid), 'its end')
    t.pass()
  })

  await t.test('a process of the Procfile ends with the program', async t => {
    const last = upsOf(cluster).filter(({ pid }) => isAlive(pid))
    t.equal(last.length, 1)
    t.match(await cluster.stop(), { code: 0 })
    await gone(last[0]!)
  })
})

void t.test('nothing is left of a Procfile process after a SIGKILL of the primary', async t => {
  const folder = folderOf(t, {
    ...app('start'),
    Procfile: 'worker: node worker.js\nstubborn: node stubborn.js',
    'stubborn.js': `import { spawn } from 'node:child_process'
process.on('SIGTERM', () => undefined)
spawn('sh', ['-c', 'trap "" TERM; echo deaf $$; while :; do sleep 60; done'], { stdio: 'inherit' })
setInterval(() => 0, 1000)`,
  })
  const cluster = await Cluster.start(t, { APP: folder, WORKERS: '1' }, undefined, folder)
  const deaf = Number(/deaf (\d+)/.exec(await cluster.printed(/deaf \d+/))?.[1])
  await until(() => upsOf(cluster).length === 1, 'the worker')
  const [{ pid, own }] = upsOf(cluster) as [Up]
  cluster.signal('SIGKILL')
  await until(() => ![pid, own, deaf].some(isAlive), 'the end of all', 20_000)
  await cluster.gone(20_000)
  t.pass()
})

void t.test('a start ends Procfile processes that a killed primary has left', async t => {
  const folder = folderOf(t, app('start'))
  const settings = { APP: folder, WORKERS: '1', SHUTDOWN_TIMEOUT_MS: '3000' }
  const killed = await Cluster.start(t, settings, undefined, folder)
  const stubborn = Number(/stubborn start (\d+)/.exec(await killed.printed(/stubborn start \d+/))?.[1])
  await until(() => upsOf(killed).length === 1, 'the worker')
  const [{ pid, own }] = upsOf(killed) as [Up]
  killed.signal('SIGKILL')
  await until(() => !isAlive(killed.pid), 'its end')
  const next = await Cluster.start(t, { ...settings, DATA_DIR: killed.dataDir }, undefined, folder)
  t.strictSame([pid, own, stubborn].filter(isAlive), [], 'nothing of it runs when the next one serves')
  await until(() => upsOf(next).length === 1, 'the worker of the next one')
  t.match(await next.stop(), { code: 0 })
})

void t.test('the built-in app and a folder without a Procfile have no Procfile processes', async t => {
  const folder = folderOf(t, appThatSays('plain'))
  const cluster = await Cluster.start(t, { APP: folder, WORKERS: '1' }, undefined, folder)
  const client = await ControlClient.of(cluster.dataDir)
  t.equal((await client.status()).wanted.processes, undefined)
  writeFileSync(
    join(folder, 'Procfile'),
    `late: node -e "require('fs').writeFileSync('late', ''); setInterval(() => 0, 1000)"`,
  )
  await client.reload()
  await until(() => existsSync(join(folder, 'late')), 'what a reload has found')
  t.equal(readFileSync(join(folder, 'late'), 'utf8'), '')
})

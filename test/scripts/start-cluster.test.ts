import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { copyFileSync, existsSync, mkdirSync, readFileSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import t from 'tap'
import { BareMachine } from '../helpers/bare-machine.js'
import { ask } from '../helpers/client.js'
import { program } from '../helpers/cluster.js'
import { within } from '../helpers/deadline.js'
import { temporaryFolder, type Harness } from '../helpers/harness.js'

const START_MS = 30_000

const APP = `
const http = require('node:http')
http.createServer((request, response) => response.end('from the app')).listen(3000)
`

interface Clone {
  script: string
  /** The number of builds. */
  builds: () => number
}

/** A clone whose build copies the present one, because a real build would disturb tests that run at the same time. */
function cloneOf(t: Harness): Clone {
  const clone = temporaryFolder(t)
  const log = join(clone, 'builds')
  mkdirSync(join(clone, 'scripts'))
  copyFileSync('scripts/start-cluster.sh', join(clone, 'scripts/start-cluster.sh'))
  const prerequisites = readFileSync('scripts/prerequisites.sh', 'utf8')
  const build = `install_and_build() { echo built >>'${log}'; ln -sfn '${dirname(program)}' "$root/dist"; }\n`
  writeFileSync(join(clone, 'scripts/prerequisites.sh'), `${prerequisites}\n${build}`)
  const builds = (): number => (existsSync(log) ? readFileSync(log, 'utf8').split('\n').length - 1 : 0)
  return { script: join(clone, 'scripts/start-cluster.sh'), builds }
}

void t.test('relative paths start at the caller’s folder, and a running instance is not rebuilt', async t => {
  const { script, builds } = cloneOf(t)
  const folder = temporaryFolder(t)
  writeFileSync(join(folder, 'server.js'), APP)
  const { PATH = '', HOME = '' } = process.env
  const env = { PATH, HOME, HOST: '127.0.0.1', PORT: '0', WORKERS: '1', APP: './server.js', DATA_DIR: 'data' }
  const primary = spawn(script, { cwd: folder, env, stdio: ['ignore', 'pipe', 'inherit'] })
  const exited = once(primary, 'exit')
  t.teardown(() => primary.kill('SIGKILL'))

  const url = await within(publicUrl(primary.stdout), 'the summary', START_MS)
  t.equal((await ask(url, '/')).text, 'from the app')
  t.ok(existsSync(join(folder, 'data/lock')))
  t.notOk(existsSync(join(dirname(script), '../data')))

  const another = cloneOf(t)
  for (const second of [script, another.script]) {
    const refused = spawn(second, { cwd: folder, env, stdio: 'ignore' })
    t.strictSame(await within(once(refused, 'exit'), 'the end of a second one', START_MS), [78, null])
  }
  t.equal(builds(), 1, 'nothing is built under the one that runs')
  t.equal(another.builds(), 1, 'but where nothing was built yet')
  primary.kill('SIGTERM')
  t.strictSame(await within(exited, 'the end', START_MS), [0, null])
})

void t.test('a start builds again only what has changed since the last build', t => {
  const machine = new BareMachine(t)
  machine.hasNode('24.1.0')
  const log = join(machine.clone, 'builds')
  machine.has('npm', `echo "$*" >>'${log}'; touch dist/.built`)
  const source = join(machine.clone, 'src/main.ts')
  mkdirSync(dirname(source))
  writeFileSync(source, '')
  const builds = (): number => {
    t.equal(machine.start().code, 0)
    return readFileSync(log, 'utf8').split('\n').length - 1
  }

  t.equal(builds(), 1, 'a clone that was never built is built')
  t.equal(builds(), 1, 'an unchanged clone is not built again')
  const later = new Date(Date.now() + 60_000)
  utimesSync(source, later, later)
  t.equal(builds(), 2, 'a changed source is built')
  const past = new Date(0)
  utimesSync(source, past, past)
  utimesSync(dirname(source), later, later)
  t.equal(builds(), 3, 'so is a folder from which a source was removed')
  t.end()
})

void t.test('the program runs in the caller’s folder, also by a symbolic link', t => {
  const machine = new BareMachine(t)
  machine.hasNode('24.1.0')
  const link = join(machine.cwd, 'outpost')
  symlinkSync('../clone/scripts/start-cluster.sh', link)
  for (const script of [undefined, link]) {
    const { code, said, started } = machine.start({}, script)
    t.strictSame({ code, said }, { code: 0, said: [] })
    t.equal(started?.cwd, machine.cwd)
    t.equal(started?.DATA_DIR, undefined)
  }
  t.end()
})

void t.test('data that an earlier version left in the clone are used while DATA_DIR is unset', t => {
  const machine = new BareMachine(t)
  machine.hasNode('24.1.0')
  const before = join(machine.clone, '.outpost')
  mkdirSync(before)

  const unset = machine.start()
  t.equal(unset.started?.DATA_DIR, before)
  t.strictSame(unset.said, [`outpost: DATA_DIR is unset: using the data that an earlier start left in ${before}`])
  t.equal(machine.start({ DATA_DIR: '' }).started?.DATA_DIR, before, 'an empty variable counts as unset')

  t.equal(machine.start({ DATA_DIR: 'mine' }).started?.DATA_DIR, 'mine')
  const prefixed = machine.start({ OUTPOST_DATA_DIR: 'mine' })
  t.strictSame([prefixed.said, prefixed.started?.DATA_DIR], [[], undefined], 'OUTPOST_DATA_DIR names a folder as well')
  mkdirSync(join(machine.cwd, '.outpost'))
  const own = machine.start()
  t.strictSame([own.said, own.started?.DATA_DIR], [[], undefined], 'the caller’s own comes first')
  t.end()
})

/** The address in the summary; rejects when there is none. */
async function publicUrl(output: NodeJS.ReadableStream): Promise<string> {
  for await (const line of createInterface({ input: output })) {
    const url = /^ {2}public +(\S+)/.exec(line)?.[1]
    if (url !== undefined) return url
  }
  throw new Error('the program ended before it served')
}

void t.test('the app, its arguments and its NODE_OPTIONS are taken as under node', async t => {
  const { script } = cloneOf(t)
  const folder = temporaryFolder(t)
  const source = `require('http').createServer((q, r) => r.end(JSON.stringify([process.argv.slice(2), globalThis.early])))
    .listen(process.env.PORT)`
  writeFileSync(join(folder, 'server.js'), source)
  writeFileSync(join(folder, 'early.js'), 'globalThis.early = true')
  const { PATH = '', HOME = '' } = process.env
  const settings = { HOST: '127.0.0.1', PORT: '0', WORKERS: '1', NODE_OPTIONS: '--require ./early.js' }
  const words = ['two words', "it's", '--flag=$HOME', '']
  const primary = spawn(script, ['server.js', '--', ...words], {
    cwd: folder,
    env: { PATH, HOME, ...settings },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const exited = once(primary, 'exit')
  t.teardown(() => primary.kill('SIGKILL'))
  const url = await within(publicUrl(primary.stdout), 'the summary', START_MS)
  t.strictSame(JSON.parse((await ask(url, '/')).text), [words, true])
  primary.kill('SIGTERM')
  t.strictSame(await within(exited, 'the end', START_MS), [0, null])
})

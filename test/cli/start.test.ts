import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { text } from 'node:stream/consumers'
import t from 'tap'
import { ControlClient } from '#src/control/client.js'
import { titleOf } from '#scripts/lib/proc.js'
import { ask } from '../helpers/client.js'
import { command, Shell } from '../helpers/command.js'
import { until, within } from '../helpers/deadline.js'
import { strangers } from '../helpers/plain-node.js'

interface Started {
  pid: number
  url: string
  dataDir: string
  logs: string
}

/** Tells what it sees. */
const APP = `
const { argv, env, cwd } = process
require('node:http')
  .createServer((request, response) => response.end(JSON.stringify([argv.slice(2), cwd(), env.COLOUR, env.SIZE])))
  .listen(env.PORT)
`

function appIn(shell: Shell, source = APP): string {
  const folder = join(shell.folder, 'shop')
  mkdirSync(folder)
  writeFileSync(join(folder, 'server.js'), source)
  writeFileSync(join(folder, 'package.json'), '{"main":"server.js"}')
  return folder
}

void t.test('a folder is where its app runs and keeps its data, in the background once it serves', async t => {
  const shell = new Shell(t)
  const folder = appIn(shell)
  writeFileSync(join(shell.folder, 'settings'), 'COLOUR=red\nSIZE=large\n')
  const words = [
    'start',
    './shop',
    '-d',
    '--json',
    '-w',
    '2',
    '--env-file',
    'settings',
    '--',
    '--flag',
    'two words',
    "it's",
  ]
  const ran = await shell.run(words, { env: { COLOUR: 'blue' } })
  t.match(ran, { code: 0, err: '' })
  const started = JSON.parse(ran.out) as Started
  t.match(started, { dataDir: join(folder, '.outpost'), logs: join(folder, '.outpost/logs/outpost.log') })
  const { text } = await ask(started.url, '/')
  t.strictSame(JSON.parse(text), [['--flag', 'two words', "it's"], folder, 'blue', 'large'])
  t.equal(titleOf(started.pid), 'outpost primary')
  const status = await (await ControlClient.of(started.dataDir)).status()
  t.match(status, { pid: started.pid, state: 'serving', wanted: { workers: 2 }, app: folder })
  t.match(readFileSync(started.logs, 'utf8'), /^Outpost is ready/m)

  const again = await shell.run(['start', './shop', '-d'])
  t.match(again, { code: 78, err: `outpost: Outpost (pid ${started.pid}) runs on ${started.dataDir} already` })
  t.match(await shell.run(['stop'], { cwd: folder }), {
    code: 0,
    out: `Outpost (pid ${started.pid}) has stopped\n`,
    err: '',
  })
  t.match(await shell.run(['start', './shop', '-d']), { code: 0, out: /^Outpost serves http:\/\/127\.0\.0\.1:\d+ / })
})

void t.test(
  'an app in a folder that was entered by a link is run from where the link leads, and can be gone back to',
  async t => {
    const shell = new Shell(t)
    const says = (text: string): string =>
      `require('node:http').createServer((request, response) => response.end('${text}')).listen(process.env.PORT)`
    for (const name of ['one', 'two']) {
      mkdirSync(join(shell.folder, name))
      writeFileSync(join(shell.folder, name, 'app.js'), says(name))
    }
    const link = join(shell.folder, 'current')
    const lead = (to: string): void => {
      rmSync(link, { force: true })
      symlinkSync(to, link)
    }
    lead('one')
    const there = { cwd: link, env: { PWD: link, DATA_DIR: join(shell.folder, 'one/data') } }
    const { url, dataDir } = JSON.parse((await shell.run(['start', 'app.js', '-d', '--json'], there)).out) as Started
    const text = async (): Promise<string> => (await ask(url, '/')).text
    const client = await ControlClient.of(dataDir)
    lead('two')
    await client.reload()
    t.equal(await text(), 'two')
    lead('one')
    await client.reload()
    writeFileSync(join(link, 'app.js'), says('three'))
    t.match(await shell.run(['deploy', '.', '--bake', '0'], there), { code: 0 })
    t.equal(await text(), 'three')
    t.notOk(
      existsSync(join(dataDir, 'releases/r1/app/data')),
      'files that the instance writes are no part of a release',
    )
    t.match(await shell.run(['rollback'], there), { code: 0 })
    t.equal(await text(), 'one')
  },
)

void t.test('the start of an app that fails prints its last output, and leaves nothing', async t => {
  const shell = new Shell(t)
  const folder = appIn(shell, `console.log('opening the shop'); throw new Error('no keys')`)
  const { code, out, err } = await shell.run(['start', './shop', '-d'])
  t.match({ code, out }, { code: 1, out: '' })
  t.match(err, /outpost: the app does not start: worker 1 did not become ready \(exit code 1\)/)
  t.match(err, /^ {2}opening the shop$/m)
  t.match(err, /^ +Error: no keys$/m)
  t.strictSame(shell.instances(), [])
  t.ok(existsSync(join(folder, '.outpost/logs/outpost.log')))
  const failed = await shell.run(['start', './shop', '-d', '--json'])
  t.match(JSON.parse(failed.out), { error: { code: 'START_FAILED', lastLines: [/opening/] } })
})

void t.test('a reason against the start is reported before anything is started', async t => {
  const shell = new Shell(t)
  appIn(shell)
  const cases: Array<[words: string[], err: RegExp]> = [
    [['./nowhere', '-d'], /APP=.*nowhere: must be the path of a module/],
    [['./shop', '-d', '-w', 'many'], /WORKERS=many: must be "auto"/],
    [['./shop', '-d', '-p', '70000'], /PORT=70000: must be a whole number/],
    [['./shop', '-d', '--data-dir', './shop/server.js'], /DATA_DIR=.*: must be a folder/],
    [['./shop', '-w', 'many'], /WORKERS=many: must be "auto"/],
  ]
  for (const [words, err] of cases)
    t.match(await shell.run(['start', ...words]), { code: 78, out: '', err }, words.join(' '))
  // Node itself looks for this file, before the command does.
  t.match(await shell.run(['start', './shop', '-d', '--env-file', 'none']), { code: 9, err: /none: not found/ })
  t.match(await shell.run(['start', './shop', '--json']), { code: 64, out: /--json is for start -d/ })
  t.strictSame(shell.instances(), [])
})

void t.test('the start names a port that is taken', async t => {
  const shell = new Shell(t)
  appIn(shell)
  const { url } = (await shell.json(['start', './shop', '-d'])) as Started
  const words = ['start', './shop', '-d', '--data-dir', 'other', '-p', new URL(url).port]
  t.match(await shell.run(words), { code: 78, err: /^outpost: PORT=\d+: cannot be bound/ })
})

void t.test(
  'in the foreground the command becomes the program, with its output, its signals and its exit code',
  async t => {
    const shell = new Shell(t)
    const words = ['start', 'http.cjs', '--data-dir', join(shell.folder, 'data')]
    const child = spawn(process.execPath, [command, ...words], { cwd: strangers, env: shell.env, stdio: 'pipe' })
    const exited = once(child, 'exit')
    t.teardown(() => child.kill('SIGKILL'))
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
    const printed = async (pattern: RegExp): Promise<void> => {
      for (;;) {
        const next = (await lines.next()) as IteratorResult<string, undefined>
        if (next.done === true) throw new Error(`it ended without ${String(pattern)}`)
        if (pattern.test(next.value)) return
      }
    }
    await within(printed(new RegExp(`^Outpost is ready \\(pid ${child.pid!},`)), 'the summary', 30_000)
    t.equal(titleOf(child.pid!), 'outpost primary')
    child.kill('SIGHUP')
    await within(printed(/"reload finished"/), 'the reload', 30_000)
    child.kill('SIGINT')
    t.strictSame(await within(exited, 'the end', 30_000), [0, null])
  },
)

void t.test(
  'Ctrl-C while a start in the background is waited for ends the instance, and the command says so',
  async t => {
    const shell = new Shell(t)
    const source = `import fs from 'node:fs'; fs.writeFileSync('runs', ''); setInterval(() => 0, 1_000)`
    writeFileSync(join(shell.folder, 'app.mjs'), source)
    const child = spawn(process.execPath, [command, 'start', 'app.mjs', '-d'], {
      cwd: shell.folder,
      env: shell.env,
      stdio: ['ignore', 'ignore', 'pipe'],
    })
    t.teardown(() => child.kill('SIGKILL'))
    const err = text(child.stderr)
    const exited = once(child, 'exit')
    await until(() => existsSync(join(shell.folder, 'runs')), 'the app')
    child.kill('SIGINT')
    t.strictSame(await within(exited, 'the end', 30_000), [1, null])
    t.match(await err, /outpost: the start was given up: SIGINT\n$/)
    t.strictSame(shell.instances(), [])
  },
)

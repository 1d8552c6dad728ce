import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import type { Status } from '#src/control/protocol.js'
import { allPids, kill, titleOf } from '#scripts/lib/proc.js'
import { ask } from '../helpers/client.js'
import { Shell } from '../helpers/command.js'
import { until } from '../helpers/deadline.js'
import { fixture } from '../helpers/fixtures.js'

const APP = fixture('handler-app.js')

void t.test('a command finds its instance', async t => {
  const shell = new Shell(t)
  const folder = (name: string): string => join(shell.folder, name)
  const dataDir = (name: string): string => join(folder(name), '.outpost')
  for (const name of ['a', 'b', 'empty', 'stopped']) mkdirSync(folder(name))
  mkdirSync(dataDir('stopped'))
  const found = async (cwd: string, words: string[] = [], env: Record<string, string> = {}): Promise<string> =>
    ((await shell.json(['status', ...words], { cwd: folder(cwd), env })) as Status).dataDir
  await shell.json(['start', APP, '-d'], { cwd: folder('a') })

  await t.test('a command uses the instance of this folder', async t => {
    t.equal(await found('a'), dataDir('a'))
  })

  await t.test('a command uses the only instance that runs, and says so', async t => {
    t.equal(await found('empty'), dataDir('a'))
    const { code, err } = await shell.run(['status'], { cwd: folder('empty') })
    t.strictSame({ code, err }, { code: 0, err: `outpost: the only running instance is used: ${dataDir('a')}\n` })
  })

  await t.test('the only instance that runs is not used if this folder has one that does not run', async t => {
    const { code, err } = await shell.run(['stop'], { cwd: folder('stopped') })
    t.strictSame(
      { code, err },
      {
        code: 69,
        err: `outpost: no Outpost runs on ${dataDir('stopped')}; others run, for --data-dir:\n  ${dataDir('a')}\n`,
      },
    )
  })

  await shell.json(['start', APP, '-d'], { cwd: folder('b') })

  await t.test('where several instances run, a command has to name one', async t => {
    const { code, err } = await shell.run(['reload'], { cwd: folder('empty') })
    t.equal(code, 64)
    t.match(err, `2 instances run: name one by --data-dir\n  ${dataDir('a')}\n  ${dataDir('b')}\n`)
    t.equal(await found('empty', ['--data-dir', '../b/.outpost']), dataDir('b'))
    t.equal(await found('empty', [], { DATA_DIR: '../b/.outpost' }), dataDir('b'))
    t.equal(await found('empty', ['--data-dir', '../a/.outpost'], { DATA_DIR: '../b/.outpost' }), dataDir('a'))
    t.equal(await found('b'), dataDir('b'))
    const all = (await shell.json(['ls', '--all'])) as Status[]
    t.strictSame(
      all.map(status => status.dataDir),
      [dataDir('a'), dataDir('b')],
    )
  })

  await t.test('instances that were killed do not count as running', async t => {
    const killed = shell.instances().find(each => each.dataDir === dataDir('b'))
    kill(killed!.pid, 'SIGKILL')
    t.equal(await found('empty'), dataDir('a'))
    t.equal(shell.instances().length, 2, 'the one that was killed is still written down')
    const { code, err } = await shell.run(['logs'], { cwd: folder('b') })
    t.equal(code, 69)
    t.ok(err.endsWith(`log of the last instance: ${dataDir('b')}/logs/outpost.log\n`), err)
  })
})

void t.test('an instance whose folder is too long for sockets is found as any other', async t => {
  const shell = new Shell(t)
  const dataDir = join(shell.folder, 'x'.repeat(100))
  await shell.json(['start', APP, '-d', '--data-dir', dataDir])
  t.match(await shell.json(['status']), { dataDir })
  t.match(await shell.json(['status', '--data-dir', dataDir], { env: { TMPDIR: '/elsewhere' } }), { dataDir })
  t.match(await shell.json(['stop']), { stopped: true })
})

void t.test('an instance that does not answer is named, and no other is taken in its place', async t => {
  const shell = new Shell(t)
  const dataDir = (name: string): string => join(shell.folder, name, '.outpost')
  for (const name of ['a', 'b', 'empty']) mkdirSync(join(shell.folder, name))
  const cwd = join(shell.folder, 'empty')
  const { pid } = (await shell.json(['start', APP, '-d', '--data-dir', dataDir('a')])) as Status
  kill(pid, 'SIGSTOP')
  t.teardown(() => kill(pid, 'SIGCONT'))
  const silence = `outpost: Outpost on ${dataDir('a')} has not answered within 5 s; its primary may be stopped or overloaded\n`
  t.strictSame(await shell.run(['status'], { cwd }), { code: 1, out: '', err: silence })
  t.strictSame(await shell.run(['ls', '--all'], { cwd }), { code: 0, out: '', err: silence })
  await shell.json(['start', APP, '-d', '--data-dir', dataDir('b')])
  const { code, err } = await shell.run(['stop'], { cwd })
  t.equal(code, 64)
  t.match(err, `2 instances run: name one by --data-dir\n  ${dataDir('a')}\n  ${dataDir('b')}\n`)
  kill(pid, 'SIGCONT')
  t.equal(((await shell.json(['ls', '--all'])) as Status[]).length, 2)
})

void t.test('commands to an instance that stops say so, and each stop waits for its end', async t => {
  const shell = new Shell(t)
  const [app, go] = [join(shell.folder, 'app.mjs'), join(shell.folder, 'go')]
  const code = `import { existsSync } from 'node:fs'
    export default (request, response) => {
      console.log('asked')
      const timer = setInterval(() => {
        if (!existsSync(process.env.GO)) return
        clearInterval(timer)
        response.end('late')
      }, 20)
    }`
  writeFileSync(app, code)
  const { pid, url, dataDir } = (await shell.json(['start', app, '-d'], { env: { GO: go } })) as Status & {
    url: string
  }
  const answer = ask(url, '/')
  const asked = async (): Promise<boolean> => (await shell.run(['logs'])).out.includes('asked')
  await until(asked, 'the request at the app')
  const stopped = [shell.json(['stop']), shell.json(['stop'])]
  const text = `outpost: Outpost (pid ${pid}) on ${dataDir} is starting or stopping, and takes no commands; outpost stop waits for its end\n`
  await until(async () => (await shell.run(['reload'])).code === 69, 'the end of its control socket')
  t.strictSame(await shell.run(['status']), { code: 69, out: '', err: text })
  stopped.push(shell.json(['stop']))
  const waiting = (): number =>
    allPids().filter(pid => titleOf(pid).startsWith(`flock --shared ${dataDir}/lock`)).length
  await until(() => waiting() === 3, 'the stops that wait')
  writeFileSync(go, '')
  t.match(await answer, { status: 200, text: 'late' })
  for (const each of await Promise.all(stopped)) t.strictSame(each, { stopped: true, pid })
  t.match(await shell.run(['stop']), { code: 69, err: /^outpost: no Outpost runs on / })
})

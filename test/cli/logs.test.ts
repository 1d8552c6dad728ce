import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import t from 'tap'
import { ask } from '../helpers/client.js'
import { command, Shell } from '../helpers/command.js'
import { until, within } from '../helpers/deadline.js'

const APP = `
export default (request, response) => {
  console.log('asked for ' + request.url)
  response.end()
}
`

void t.test('the log is printed, followed and shown on the live screen', async t => {
  const shell = new Shell(t)
  const cwd = shell.folder
  writeFileSync(join(cwd, 'app.mjs'), APP)
  const { url } = (await shell.json(['start', 'app.mjs', '-d'])) as { url: string }

  await t.test('the last lines are printed', async t => {
    for (const path of ['/one', '/two', '/three']) await ask(url, path)
    const two = await shell.run(['logs', '-n', '2'])
    t.strictSame(two, { code: 0, out: '[worker 1] asked for /two\n[worker 1] asked for /three\n', err: '' })
    t.match((await shell.run(['logs'])).out, /^Outpost is ready/m)
    const { out } = await shell.run(['logs', '-n', '1', '--json'])
    t.strictSame(JSON.parse(out), { event: 'line', line: '[worker 1] asked for /three' })
    t.match(await shell.run(['logs', '-n', 'all']), { code: 64, err: /It must be a number up to 10000/ })
  })

  await t.test('a reader that leaves ends the command that follows', async t => {
    const follows = spawn('sh', ['-c', '"$@" | head -n 1', 'sh', process.execPath, command, 'logs', '-f', '-n', '1'], {
      cwd,
      env: shell.env,
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const [line] = (await within(once(createInterface({ input: follows.stdout }), 'line'), 'a line')) as [string]
    t.match(line, /asked for/)
    const exited = once(follows, 'exit')
    // A process that has nothing to write does not notice that nobody reads.
    const poked = until(async () => {
      await ask(url, '/poke')
      return follows.exitCode !== null
    }, 'the end')
    await within(exited, 'the end of the pipe')
    await poked
  })

  await t.test('the live screen shows the status and the log, and q ends it', async t => {
    const words = `stty rows 30 cols 150 && '${process.execPath}' '${command}' monit`
    const monit = spawn('script', ['-qec', words, '/dev/null'], {
      cwd,
      env: { ...shell.env, TERM: 'xterm' },
      stdio: ['pipe', 'pipe', 'inherit'],
    })
    t.teardown(() => monit.kill('SIGKILL'))
    let shown = ''
    monit.stdout.setEncoding('utf8').on('data', chunk => (shown += String(chunk)))
    await until(() => /worker 1 .*REQ|asked for/s.test(shown) && shown.includes('q quits'), 'the screen')
    await ask(url, '/seen')
    await until(() => shown.includes('asked for /seen'), 'a new line of the log')
    const exited = once(monit, 'exit')
    monit.stdin.write('q')
    t.strictSame(await within(exited, 'the end'), [0, null])
    t.ok(shown.startsWith('\x1b[?1049h'), 'on a screen of its own')
    t.ok(shown.trimEnd().endsWith('\x1b[?1049l'), 'and back')
  })

  await t.test('the live screen is for terminals, and programs get a status each second', async t => {
    t.match(await shell.run(['monit']), { code: 64, err: /monit needs a terminal/ })
    const monit = spawn(process.execPath, [command, 'monit', '--json'], { cwd, env: shell.env })
    t.teardown(() => monit.kill('SIGKILL'))
    let printed = ''
    monit.stdout.setEncoding('utf8').on('data', chunk => (printed += String(chunk)))
    await until(() => printed.split('\n').length > 2, 'two lines')
    const [first, second] = printed.split('\n').map(line => JSON.parse(line || '{}') as { ageMs: number })
    t.ok(second!.ageMs > first!.ageMs)
  })

  await t.test('a follower sees the log up to the stop, and is told of it', async t => {
    const follows = spawn(process.execPath, [command, 'logs', '-f'], {
      cwd,
      env: shell.env,
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    let said = ''
    follows.stderr.setEncoding('utf8').on('data', chunk => (said += String(chunk)))
    const closed = once(follows, 'close')
    await within(once(follows.stdout, 'data'), 'the log')
    t.match(await shell.run(['stop']), { code: 0 })
    t.strictSame(await within(closed, 'the end'), [0, null])
    t.equal(said.split('\n').at(-2), 'outpost: Outpost is stopping')
  })
})

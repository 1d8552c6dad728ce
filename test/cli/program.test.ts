import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import t from 'tap'
import { command, Shell } from '../helpers/command.js'

void t.test('the help and the version are printed, and nothing more is done', async t => {
  const shell = new Shell(t)
  const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string }
  t.strictSame(await shell.run(['--version']), { code: 0, out: `${version}\n`, err: '' })
  for (const words of [['--help'], ['help'], []]) {
    t.match(await shell.run(words), { code: 0, out: /Usage: outpost .*Commands:.*Exit codes:/s, err: '' }, words.join())
  }
  t.match(await shell.run(['reload', '--help']), { code: 0, out: /Usage: outpost reload/ })
})

void t.test('a command or an option that is not known is refused, with its near namesake', async t => {
  const shell = new Shell(t)
  t.match(await shell.run(['stats']), { code: 64, out: '', err: /unknown command 'stats'\n.*status/ })
  const json = await shell.run(['stats', '--json'])
  t.match([json.code, JSON.parse(json.out)], [64, { error: { code: 'USAGE', message: /^unknown command 'stats'/ } }])
  t.match(await shell.run(['status', '--jsn']), { code: 64, err: /unknown option '--jsn'\n.*--json/ })
  t.match(await shell.run(['stop', 'now']), { code: 64, err: /too many arguments/ })
  t.match(await shell.run(['scale', 'many']), { code: 64, err: /'many' is invalid.*a number/s })
  t.match(await shell.run(['scale']), { code: 64, err: /scale needs a number of workers/ })
  t.match(await shell.run(['status', '--', 'x']), {
    code: 64,
    err: /only outpost start, service and run take words after --/,
  })
})

void t.test('the words of pm2 lead to the commands that do the same', async t => {
  const shell = new Shell(t)
  t.match(await shell.run(['restart']), { code: 64, err: /'restart': outpost reload/ })
  t.match(await shell.run(['startup']), { code: 64, err: /'startup': outpost service/ })
})

void t.test('if nothing runs, each command says so in one line, and with --json in one document', async t => {
  const shell = new Shell(t)
  for (const words of [['status'], ['reload'], ['scale', '2'], ['stop']]) {
    const said = await shell.run(words)
    t.match(said, { code: 69, out: '', err: /^outpost: no Outpost of this user runs.*outpost start starts one\n$/ })
    const { code, out, err } = await shell.run([...words, '--json'])
    t.match({ code, err, ...(JSON.parse(out) as object) }, { code: 69, err: '', error: { code: 'NOT_RUNNING' } })
  }
})

void t.test('only a terminal gets colours', t => {
  const { PATH = '', HOME = '' } = process.env
  const typed = (env: Record<string, string>): string => {
    const words = ['-qec', `'${process.execPath}' '${command}' status`, '/dev/null']
    const options = { env: { PATH, HOME, XDG_STATE_HOME: '/nowhere', TERM: 'xterm', ...env }, cwd: '/' } as const
    try {
      return execFileSync('script', words, { ...options, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] })
    } catch (error) {
      return (error as { stdout: string }).stdout
    }
  }
  t.match(typed({}), '\x1b[31moutpost:\x1b[39m no Outpost')
  t.match(typed({ NO_COLOR: '1' }), /^outpost: no Outpost/)
  t.end()
})

void t.test('output that cannot be written ends the command with 1 and one line', t => {
  const toFull = (words: string): string => {
    const line = `'${process.execPath}' '${command}' ${words} 2>&1 >/dev/full; echo $?`
    return execFileSync('sh', ['-c', line], { encoding: 'utf8', cwd: '/' })
  }
  for (const words of ['--version', 'completion bash --json']) {
    t.match(toFull(words), /^outpost: output cannot be written: ENOSPC.*\n1\n$/, words)
  }
  t.match(toFull('nope'), /unknown command 'nope'\n64\n$/)
  t.end()
})

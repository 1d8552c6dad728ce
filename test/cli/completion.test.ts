import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { Shell } from '../helpers/command.js'
import { temporaryFolder } from '../helpers/harness.js'

const hasZsh = ((): boolean => {
  try {
    execFileSync('zsh', ['--version'])
    return true
  } catch {
    return false
  }
})()

void t.test('bash completes commands, options and their values', async t => {
  const { out } = await new Shell(t).run(['completion', 'bash'])
  const script = join(temporaryFolder(t), 'outpost.bash')
  writeFileSync(script, out)
  const completed = (...words: string[]): string[] => {
    const typed = '. "$0"; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _outpost; printf "%s\\n" "${COMPREPLY[@]}"'
    return execFileSync('bash', ['-c', typed, script, ...words], { encoding: 'utf8' })
      .trim()
      .split('\n')
  }
  t.strictSame(completed('outpost', 'sta'), ['start', 'status'])
  t.strictSame(completed('outpost', 'reload', '--'), ['--data-dir', '--json'])
  t.strictSame(completed('outpost', 'start', '--det'), ['--detach'])
  t.strictSame(completed('outpost', 'completion', ''), ['--json', 'bash', 'zsh'])
  t.strictSame(completed('outpost', 'maintenance', 'o'), ['on', 'off'])
  t.strictSame(completed('outpost', 'env', 'un'), ['unset'])
  for (const files of [
    ['start', ''],
    ['start', 'ser'],
    ['stop', '--data-dir', ''],
    ['maintenance', 'on', '--page', ''],
  ]) {
    t.strictSame(completed('outpost', ...files), [''], `${files.join(' ')} is left to readline`)
  }
  t.match(out, 'complete -o default -F _outpost outpost')
  const { out: json } = await new Shell(t).run(['completion', 'bash', '--json'])
  t.strictSame(JSON.parse(json), { shell: 'bash', script: out.slice(0, -1) })
})

void t.test('zsh accepts its completions', { skip: hasZsh ? false : 'there is no zsh' }, async t => {
  const { out } = await new Shell(t).run(['completion', 'zsh'])
  const script = join(temporaryFolder(t), '_outpost')
  writeFileSync(script, out)
  execFileSync('zsh', ['-n', script])
  const asked = `
    compdef() { : }
    _describe() { local -a list; list=(\${(P)@[-1]}); print -l -- $list }
    _files() { print files }
    . "$0"; words=("$@"); CURRENT=$#; _outpost`
  const completed = (...words: string[]): string =>
    execFileSync('zsh', ['-fc', asked, script, ...words], { encoding: 'utf8' })
  t.match(completed('outpost', 's'), /^start:starts an app.*^status:.*/ms)
  t.match(completed('outpost', 'start', ''), /--detach:.*files/s)
})

void t.test('another shell is refused', async t => {
  t.match(await new Shell(t).run(['completion', 'fish']), { code: 64, err: /Allowed choices are bash, zsh/ })
})

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
    ['deploy', ''],
    ['deploy', './'],
    ['service', ''],
    ['stop', '--data-dir', ''],
    ['maintenance', 'on', '--page', ''],
  ]) {
    t.strictSame(completed('outpost', ...files), [''], `${files.join(' ')} is left to readline`)
  }
  t.match(out, 'complete -o default -F _outpost outpost')
  const { out: json } = await new Shell(t).run(['completion', 'bash', '--json'])
  t.strictSame(JSON.parse(json), { shell: 'bash', script: out.slice(0, -1) })
})

/** The settings of a zsh with a terminal, in which Ctrl-X prints the line. */
const ZSH_RC = `
PS1=; autoload -Uz compinit; compinit -u -D
outpost() { : }
. ./_outpost
show() { print -r -- "<$BUFFER>"; zle kill-buffer }
zle -N show; bindkey '^X' show
print rea''dy`

/** Types each line and a tab, and prints what the line has become. */
const ZSH_TYPIST = `
zmodload zsh/zpty
read_until() { local out= all=; while [[ $all != *\${~1}* ]]; do zpty -r z out || exit 1; all+=$out; done; REPLY=$all }
zpty z 'zsh -f -i'
zpty -w z '. ./rc'
read_until ready
for line; do
  zpty -w -n z "$line"$'\\t\\C-x'
  read_until '<*>'
  [[ $REPLY =~ '<([^>]*)>' ]] && print -r -- $match[1]
done`

void t.test(
  'zsh completes commands, options, values and files',
  { skip: hasZsh ? false : 'there is no zsh' },
  async t => {
    const { out } = await new Shell(t).run(['completion', 'zsh'])
    const folder = temporaryFolder(t)
    for (const [name, text] of Object.entries({ _outpost: out, rc: ZSH_RC, 'my.tgz': '' })) {
      writeFileSync(join(folder, name), text)
    }
    const lines = {
      'outpost rollb': 'outpost rollback ',
      'outpost deploy --can': 'outpost deploy --canary ',
      'outpost completion z': 'outpost completion zsh ',
      'outpost deploy ./m': 'outpost deploy ./my.tgz ',
      'outpost start m': 'outpost start my.tgz ',
      'outpost stop --data-dir m': 'outpost stop --data-dir my.tgz ',
    }
    const options = { encoding: 'utf8', cwd: folder } as const
    const completed = execFileSync('zsh', ['-fc', ZSH_TYPIST, 'zsh', ...Object.keys(lines)], options)
    t.strictSame(
      completed
        .trimEnd()
        .split('\n')
        .map(line => `${line.trimEnd()} `),
      Object.values(lines),
    )
  },
)

void t.test('another shell is refused', async t => {
  t.match(await new Shell(t).run(['completion', 'fish']), { code: 64, err: /Allowed choices are bash, zsh/ })
})

import { Argument, type Command } from 'commander'
import type { Context } from './context.js'

export function addCompletion(program: Command, context: Context): void {
  program
    .command('completion')
    .description('prints the completions for a shell: source <(outpost completion bash)')
    .addArgument(new Argument('<shell>', 'bash or zsh').choices(['bash', 'zsh']))
    .option('--json', 'prints JSON')
    .action((shell: 'bash' | 'zsh', { json }: { json?: true }) => {
      const words = wordsOf(program)
      const script = shell === 'bash' ? bashScript(words) : zshScript(words)
      if (json === true) context.output.json({ shell, script })
      else context.output.print(script)
    })
}

interface Word {
  word: string
  description: string
}

interface CommandWords extends Word {
  options: Word[]
  /** The values of its argument; undefined where files are. */
  values: readonly string[] | undefined
}

/** Arguments that name a file or a folder. */
const FILES = new Set(['app', 'source'])

/** All that can be typed, as the program itself knows it. */
function wordsOf(program: Command): CommandWords[] {
  return program.commands.flatMap(command => {
    const description = command.description()
    const options = command.options.flatMap(({ short, long, description }) =>
      [short, long].flatMap(word => (word === undefined ? [] : [{ word, description }])),
    )
    const [argument] = command.registeredArguments
    const values = argument?.argChoices ?? (FILES.has(argument?.name() ?? '') ? undefined : [])
    return [command.name(), ...command.aliases()].map(word => ({ word, description, options, values }))
  })
}

function bashScript(commands: readonly CommandWords[]): string {
  const ofFiles = commands.filter(({ values }) => values === undefined).map(({ word }) => word)
  const rows = commands.map(({ word, options, values = [] }) => {
    return `    ${word}) words='${[...options.map(({ word }) => word), ...values].join(' ')}' ;;`
  })
  return `# Completions of outpost for bash: source <(outpost completion bash)
_outpost() {
  local word=\${COMP_WORDS[COMP_CWORD]} before=\${COMP_WORDS[COMP_CWORD-1]} words=
  COMPREPLY=()
  case $before in --data-dir | --env-file | --page) return ;; esac
  if [ "$COMP_CWORD" -eq 1 ]; then words='${commands.map(({ word }) => word).join(' ')}'
  else case \${COMP_WORDS[1]} in
${rows.join('\n')}
  esac; fi
  # What begins with no letter yet may be a file: readline completes those where nothing is found here.
  if [ -z "$word" ] && [ "$COMP_CWORD" -gt 1 ]; then case \${COMP_WORDS[1]} in ${ofFiles.join(' | ')}) return ;; esac; fi
  mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")
}
complete -o default -F _outpost outpost`
}

function zshScript(commands: readonly CommandWords[]): string {
  const described = (words: readonly Word[]): string =>
    words.map(({ word, description }) => quoted(`${word}:${description.replaceAll(':', '\\:')}`)).join(' ')
  const rows = commands.map(({ word, options, values }) => {
    const others = values === undefined ? '_files' : `compadd -- ${values.join(' ')}`
    const rest = values?.length === 0 ? '' : `; ${others}`
    return `    ${word}) found=(${described(options)}); _describe -o option found${rest} ;;`
  })
  return `#compdef outpost
# Completions of outpost for zsh: source <(outpost completion zsh)
_outpost() {
  local -a found
  case $words[CURRENT-1] in
    --data-dir|--env-file|--page) _files; return ;;
  esac
  if (( CURRENT == 2 )); then
    found=(${described(commands)})
    _describe command found
    return
  fi
  case $words[2] in
${rows.join('\n')}
  esac
}
compdef _outpost outpost`
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`
}

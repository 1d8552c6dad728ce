import { shellWords } from '../../config/shell-words.js'

/** A command of the app, as it is run: no shell reads it. */
export interface CommandLine {
  /** At least one. */
  readonly words: readonly string[]
  /** Variables that stand before the words, as in `QUEUE=mail node worker.js`. */
  readonly env: Readonly<Record<string, string>>
  /** A remark for the person. */
  readonly remark?: string
}

/** @returns undefined when a quote is not closed, or there is no word */
export function commandLineOf(text: string): CommandLine | undefined {
  const all = shellWords(text)
  if (all === undefined) return undefined
  const first = all.findIndex(word => !/^[A-Za-z_]\w*=/.test(word))
  if (first === -1) return undefined
  const pairs = all.slice(0, first).map((word): [string, string] => {
    const at = word.indexOf('=')
    return [word.slice(0, at), word.slice(at + 1)]
  })
  const words = all.slice(first)
  return { words, env: Object.fromEntries(pairs), ...remarkOn(text) }
}

/** Characters in quotes are meant as they are. */
function remarkOn(text: string): { remark?: string } {
  const bare = text.replace(/'[^']*'|"[^"]*"|\\./g, '')
  const found = /[;&|<>$`*?]/.exec(bare)?.[0]
  return found === undefined
    ? {}
    : { remark: `is run without a shell, so ${found} stays as it is: write sh -c '…' for a shell` }
}

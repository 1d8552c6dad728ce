import { createInterface } from 'node:readline'
import { Writable } from 'node:stream'
import { exitCodes } from '../process/exit.js'
import { Failure } from './failure.js'

/** How long Ctrl-C may take to end this process. A listener that something preloaded has set can delay it. */
const INTERRUPTED_MS = 1000

/**
 * Asks for a value on the terminal, and does not show what is typed. Ctrl-C ends this process as it does any command.
 * @throws {Failure} Ctrl-D was pressed
 */
export function askHidden(question: string): Promise<string> {
  const { stdin: input, stderr } = process
  const unseen = new Writable({ write: (_chunk, _encoding, written) => written() })
  const lines = createInterface({ input, output: unseen, terminal: true, historySize: 0 })
  // Only now does the terminal no longer show what is typed.
  stderr.write(question)
  return new Promise((resolve, reject) => {
    lines.once('line', value => {
      resolve(value)
      lines.close()
    })
    const refuse = (): void => reject(new Failure(exitCodes.usage, 'no value was given'))
    lines.once('close', () => stderr.write('\n'))
    lines.once('close', refuse)
    lines.once('SIGINT', () => {
      lines.off('close', refuse).close()
      process.kill(process.pid, 'SIGINT')
      setTimeout(refuse, INTERRUPTED_MS)
    })
  })
}

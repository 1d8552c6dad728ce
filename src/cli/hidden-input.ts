import { createInterface } from 'node:readline'
import { Writable } from 'node:stream'
import { exitCodes } from '../process/exit.js'
import { Failure } from './failure.js'

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
    lines.once('SIGINT', () => {
      lines.close()
      process.kill(process.pid, 'SIGINT')
    })
    lines.once('close', () => {
      stderr.write('\n')
      reject(new Failure(exitCodes.usage, 'no value was given'))
    })
  })
}

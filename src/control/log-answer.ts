import type { CommandAnswer } from './command-answer.js'
import type * as z from 'zod'
import type { logsQuerySchema } from './protocol.js'

/** The output of the instance. */
export interface Log {
  /**
   * The last lines, and what follows them, without a gap.
   * @param onLine called for each further line
   * @returns the lines in their order, and a function that ends the calls
   */
  read(count: number, onLine?: (line: string) => void): { lines: string[]; stop: () => void }
}

/** Answers with lines of the log. A client that reads too slowly misses some and is told how many. */
export function sendLog(
  log: Log,
  answer: CommandAnswer,
  { lines: count, follow }: z.infer<typeof logsQuerySchema>,
): void {
  if (!answer.streams) {
    const { lines, stop } = log.read(count)
    stop()
    return answer.document({ lines })
  }
  answer.begin()
  let skipped = 0
  const send = (line: string): void => {
    if (skipped > 0 && answer.line({ event: 'skipped', lines: skipped })) skipped = 0
    if (skipped > 0 || !answer.line({ event: 'line', line })) skipped += 1
  }
  const { lines, stop } = log.read(count, follow === '1' ? send : undefined)
  answer.whenClosed(stop)
  for (const line of lines) send(line)
  if (follow === '0') answer.endOfLog()
}

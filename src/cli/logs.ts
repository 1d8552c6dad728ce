import { InvalidArgumentError, type Command } from 'commander'
import { ControlError } from '../control/protocol.js'
import { DEFAULT_LINES, MAX_LINES } from '../control/protocol/log-lines.js'
import { exit, exitCodes } from '../process/exit.js'
import { instanceCommand, instanceOf, type Context, type InstanceOptions } from './context.js'
import { readable } from './log-line.js'
import { count } from './units.js'

interface LogsOptions extends InstanceOptions {
  lines: number
  follow?: true
}

export function addLogs(program: Command, context: Context): void {
  instanceCommand(program, 'logs', 'prints the end of the log: what the app and Outpost have printed')
    .option('-f, --follow', 'prints new lines as they come')
    .option('-n, --lines <number>', 'how many of the last lines', linesOf, DEFAULT_LINES)
    .action(async (options: LogsOptions) => {
      const { output } = context
      const { client } = await instanceOf(options, context)
      // The reader may exit (`| head`), and nothing else is to be done.
      output.stdout.once('error', () => exit(exitCodes.ok))
      try {
        for await (const event of client.logs(options.lines, options.follow === true)) {
          if (options.json === true) output.json(event)
          else if (event.event === 'line') output.print(readable(event.line, output.paint))
          else output.note(`${count(event.lines, 'line')} came too fast to be shown; the log has them`)
        }
      } catch (error) {
        if (!(error instanceof ControlError) || error.code !== 'STOPPING') throw error
        if (options.json !== true) output.note('Outpost is stopping')
      }
    })
}

function linesOf(text: string): number {
  const lines = /^\d{1,5}$/.test(text) ? Number(text) : NaN
  if (lines <= MAX_LINES) return lines
  throw new InvalidArgumentError(`It must be a number up to ${MAX_LINES}.`)
}

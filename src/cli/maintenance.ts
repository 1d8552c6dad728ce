import { readFileSync } from 'node:fs'
import { Argument, InvalidArgumentError, type Command } from 'commander'
import { exitCodes } from '../process/exit.js'
import { instanceCommand, instanceOf, type Context, type InstanceOptions } from './context.js'
import { Failure } from './failure.js'
import { more } from './option-values.js'

interface MaintenanceOptions extends InstanceOptions {
  page?: string
  allow: string[]
  retryAfter: number
}

const MAX_PAGE_BYTES = 256 * 1024

export function addMaintenance(program: Command, context: Context): void {
  instanceCommand(program, 'maintenance', 'answers clients with 503 and a page, until it is off again')
    .addArgument(new Argument('<state>', 'on or off').choices(['on', 'off']))
    .option('--page <file>', 'an HTML file to show in place of a plain page')
    .option('--allow <address>', 'an address or range (CIDR) that still reaches the app; may be repeated', more, [])
    .option('--retry-after <seconds>', 'how long clients are told to wait', secondsOf, 60)
    .action(async (state: 'on' | 'off', options: MaintenanceOptions) => {
      const { output } = context
      const on = state === 'on'
      const page = options.page === undefined ? {} : { page: pageOf(options.page) }
      const { client } = await instanceOf(options, context)
      const answer = await client.maintenance({ on, ...page, allow: options.allow, retryAfter: options.retryAfter })
      if (options.json === true) return output.json(answer)
      output.print(on ? 'clients get 503 and the page, until outpost maintenance off' : 'clients get the app')
    })
}

function secondsOf(text: string): number {
  if (!/^[1-9]\d{0,4}$/.test(text)) throw new InvalidArgumentError('It must be a number of seconds up to a day.')
  return Math.min(Number(text), 86_400)
}

function pageOf(path: string): string {
  try {
    const bytes = readFileSync(path)
    if (bytes.length > MAX_PAGE_BYTES) throw new Error('the file is larger than 256 KiB')
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch (cause) {
    throw new Failure(exitCodes.usage, `the page ${path} cannot be used: ${(cause as Error).message}`)
  }
}

import { InvalidArgumentError, type Command } from 'commander'
import type { Scale } from '../control/protocol.js'
import { instanceCommand, instanceOf, type Context, type InstanceOptions } from './context.js'
import { count } from './units.js'

interface ScaleOptions extends InstanceOptions {
  balancers?: number
}

/** A number of workers, or a change of it. */
interface Change {
  relative: boolean
  number: number
}

export function addScale(program: Command, context: Context): void {
  instanceCommand(program, 'scale', 'changes how many workers run, until the next start')
    .argument('<workers>', 'how many, or +N or -N for more or fewer', changeOf)
    .option('--balancers <number>', 'how many balancers', text => changeOf(text).number)
    .action(async (change: Change, options: ScaleOptions) => {
      const { output } = context
      const { client } = await instanceOf(options, context)
      const { wanted, processes } = await client.status()
      const workers = Math.max(1, change.relative ? wanted.workers + change.number : change.number)
      const scale: Scale = { workers, ...(options.balancers === undefined ? {} : { balancers: options.balancers }) }
      const scaled = await client.scale(scale)
      if (options.json === true) return output.json(scaled)
      const running = processes.filter(({ role, state }) => role === 'worker' && state === 'ready').length
      output.print(
        `${count(scaled.workers, 'worker')} ${scaled.workers === 1 ? 'is' : 'are'} wanted from now on; ${running} ran before`,
      )
    })
}

function changeOf(text: string): Change {
  if (!/^[+-]?\d{1,4}$/.test(text)) throw new InvalidArgumentError('It is a number, or one with + or - before it.')
  return { relative: /^[+-]/.test(text), number: Number(text) }
}

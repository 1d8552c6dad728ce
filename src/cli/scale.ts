import { InvalidArgumentError, type Command } from 'commander'
import type { Scale, Scaled } from '../control/protocol.js'
import { exitCodes } from '../process/exit.js'
import { instanceCommand, instanceOf, type Context, type InstanceOptions } from './context.js'
import { Failure } from './failure.js'
import { readyWorkersOf } from './status.js'
import { count } from './units.js'

interface ScaleOptions extends InstanceOptions {
  balancers?: number
}

/** A number of processes, or a change of it. */
interface Change {
  /** The name of a process of the Procfile; undefined for the workers of the web. */
  name: string | undefined
  relative: boolean
  number: number
}

export function addScale(program: Command, context: Context): void {
  instanceCommand(program, 'scale', 'changes how many processes run, until the next start')
    .argument(
      '[counts...]',
      'how many workers, or +N or -N for more or fewer; NAME=N for a process of the Procfile',
      (text: string, before: Change[] | undefined) => [...(before ?? []), changeOf(text)],
    )
    .option('--balancers <number>', 'how many balancers', text => changeOf(text).number)
    .action(async (changes: Change[] | [], options: ScaleOptions) => {
      const { balancers, json } = options
      const { output } = context
      if (changes.length === 0 && balancers === undefined)
        throw new Failure(exitCodes.usage, 'scale needs a number of workers, or --balancers')
      const { client } = await instanceOf(options, context)
      const status = await client.status()
      const { wanted } = status
      const scaled = await client.scale({
        ...scaleOf(changes, wanted),
        ...(balancers === undefined ? {} : { balancers }),
      })
      if (json === true) return output.json(scaled)
      const running = readyWorkersOf(status)
      if (changes.some(({ name }) => name === undefined) || balancers !== undefined) {
        output.print(
          `${count(scaled.workers, 'worker')} ${scaled.workers === 1 ? 'is' : 'are'} wanted from now on; ${running} ran before`,
        )
      }
      for (const { name } of changes) {
        if (name !== undefined) output.print(`${name}: ${scaled.processes?.[name] ?? 0} wanted from now on`)
      }
    })
}

/** The result of the changes. */
function scaleOf(changes: readonly Change[], wanted: Scaled): Scale {
  const scale: Scale = {}
  for (const { name, relative, number } of changes) {
    const before = name === undefined ? wanted.workers : (wanted.processes?.[name] ?? 0)
    const after = Math.max(name === undefined ? 1 : 0, relative ? before + number : number)
    if (name === undefined) scale.workers = after
    else scale.processes = { ...scale.processes, [name]: after }
  }
  return scale
}

/** `web` is the name of the workers in a Procfile. */
function changeOf(text: string): Change {
  const [, name, sign = '', digits = ''] =
    /^(?:([A-Za-z0-9_-]*[A-Za-z_][A-Za-z0-9_-]*)=)?([+-]?)(\d{1,4})$/.exec(text) ?? []
  if (digits === '') throw new InvalidArgumentError('It must be a number, one with + or - before it, or NAME=N.')
  return { name: name === 'web' ? undefined : name, relative: sign !== '', number: Number(sign + digits) }
}

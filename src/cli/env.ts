import { isUtf8 } from 'node:buffer'
import { Argument, type Command } from 'commander'
import { faultOfName, faultOfValue } from '../control/protocol.js'
import { exitCodes } from '../process/exit.js'
import { buffer } from 'node:stream/consumers'
import { instanceCommand, instanceOf, type Context, type InstanceOptions } from './context.js'
import { tellChange } from './deploy-progress.js'
import { Failure } from './failure.js'
import { askHidden } from './hidden-input.js'

const ACTIONS = ['set', 'unset', 'list'] as const

const SEEN =
  'ps showed the value to all users of this machine for a moment, and the history of the shell may keep it; ' +
  'for a secret, give its name alone'

type Action = (typeof ACTIONS)[number]

export function addEnv(program: Command, context: Context): void {
  instanceCommand(program, 'env', 'sets variables of the app, in a new release')
    .addArgument(new Argument('<action>', 'set, unset or list').choices(ACTIONS))
    .argument('[variables...]', 'NAME to set, which asks for the value or reads it; NAME=value; NAME to unset')
    .action(async (action: Action, variables: readonly string[], options: InstanceOptions) => {
      const { output } = context
      if ((action === 'list') !== (variables.length === 0)) {
        throw new Failure(
          exitCodes.usage,
          action === 'list' ? 'env list takes no variables' : `env ${action} needs the name of a variable`,
        )
      }
      for (const variable of variables) {
        const fault = faultOfName(action === 'set' ? variable.replace(/=.*$/s, '') : variable)
        if (fault !== undefined) throw new Failure(exitCodes.usage, fault)
      }
      const { client } = await instanceOf(options, context)
      if (action === 'list') {
        const env = await client.environment()
        if (options.json === true) return output.json({ env })
        return output.print(...Object.entries(env).map(([name, value]) => `${name}=${value}`))
      }
      const change = action === 'set' ? { set: await valuesOf(variables) } : { unset: [...variables] }
      const isSeen = action === 'set' && variables.some(variable => variable.includes('='))
      if (isSeen && options.json !== true) output.note(SEEN)
      const steps: string[] = []
      await tellChange(context, options, told =>
        client.setEnvironment(change, event => {
          steps.push(event.event)
          told(event)
        }),
      )
      if (steps.length === 0) output.note('nothing has changed: the variables have these values already')
    })
}

async function valuesOf(variables: readonly string[]): Promise<Record<string, string>> {
  const named = variables.filter(variable => !variable.includes('='))
  if (named.length > 1) throw new Failure(exitCodes.usage, 'only one value can come on standard input')
  const pairs = variables.map(async (variable): Promise<[string, string]> => {
    const at = variable.indexOf('=')
    if (at === -1) return [variable, await valueOf(variable)]
    return [variable.slice(0, at), variable.slice(at + 1)]
  })
  const values = await Promise.all(pairs)
  for (const [name, value] of values) {
    const fault = faultOfValue(value)
    if (fault !== undefined) throw new Failure(exitCodes.usage, `${name} cannot be set: ${fault}`)
  }
  return Object.fromEntries(values)
}

async function valueOf(variable: string): Promise<string> {
  if (process.stdin.isTTY) return askHidden(`${variable} (not shown): `)
  const bytes = await buffer(process.stdin)
  if (!isUtf8(bytes)) throw new Failure(exitCodes.usage, `${variable} cannot be set: the value is not UTF-8`)
  return bytes.toString('utf8').replace(/\n$/, '')
}

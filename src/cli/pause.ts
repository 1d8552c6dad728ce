import type { Command } from 'commander'
import { instanceCommand, instanceOf, type Context, type InstanceOptions } from './context.js'
import { goingOn } from './going-on.js'
import { secondsOf } from './option-values.js'

interface PauseOptions extends InstanceOptions {
  for: number
  drain?: true
}

export function addPause(program: Command, context: Context): void {
  instanceCommand(program, 'pause', 'holds requests back, e.g. for a migration, until outpost resume')
    .option('--for <seconds>', 'for how long at most', secondsOf, 30)
    .option('--drain', 'waits until nothing is in flight')
    .action(async (options: PauseOptions) => {
      const { for: seconds, drain: drained } = options
      const drain = drained === true
      const { output } = context
      const { client } = await instanceOf(options, context)
      const note = `requests wait all the same, for up to ${seconds} s: outpost resume lets them go on`
      const paused = await goingOn(
        context,
        options,
        () => note,
        () => client.pause({ seconds, drain }),
      )
      if (options.json === true) return output.json({ paused })
      output.print(
        `requests wait${drain ? ', and nothing is in flight' : ''}; they go on in ${seconds} s, or by outpost resume`,
      )
    })
}

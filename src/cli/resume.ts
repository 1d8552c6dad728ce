import type { Command } from 'commander'
import { instanceCommand, instanceOf, type Context, type InstanceOptions } from './context.js'
import { duration } from './units.js'

export function addResume(program: Command, context: Context): void {
  instanceCommand(program, 'resume', 'lets requests go on after outpost pause').action(
    async (options: InstanceOptions) => {
      const { output } = context
      const resumed = await (await instanceOf(options, context)).client.resume()
      if (options.json === true) return output.json(resumed)
      const { pausedMs } = resumed
      output.print(pausedMs === 0 ? 'requests did not wait' : `requests go on after ${duration(pausedMs)}`)
    },
  )
}

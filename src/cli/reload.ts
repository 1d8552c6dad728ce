import type { Command } from 'commander'
import type { Progress } from '../control/protocol.js'
import { instanceCommand, instanceOf, type Context, type InstanceOptions } from './context.js'
import { goingOn } from './going-on.js'
import { count } from './units.js'

const GOES_ON = 'the reload goes on without this command: outpost status shows it'

export function addReload(program: Command, context: Context): void {
  instanceCommand(program, 'reload', 'replaces every worker, one after another, without losing a request')
    .addHelpText(
      'after',
      '\nIf a new worker fails, the reload ends, the old ones keep serving, and the exit code is 1.',
    )
    .action(async (options: InstanceOptions) => {
      const { output } = context
      const { client } = await instanceOf(options, context)
      const { wanted, processes } = await client.status()
      // Those of a release that is kept warm are replaced, too.
      const all = Math.max(wanted.workers, processes.filter(({ role }) => role === 'worker').length)
      let done = 0
      const tell = (event: Progress): void => {
        done += 1
        if (options.json === true) output.json(event)
        else output.print(`worker ${event.worker} is replaced (${done} of ${Math.max(all, done)})`)
      }
      const result = await goingOn(
        context,
        options,
        () => GOES_ON,
        () => client.reload(tell),
      )
      if (options.json === true) output.json({ event: 'done', ...result })
      else if (result.replaced > 0) output.print(output.paint('green', `${count(result.replaced, 'worker')} replaced`))
      else output.print(output.paint('green', 'the app has started; no worker ran that it could replace'))
    })
}

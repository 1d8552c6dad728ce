import type { Command } from 'commander'
import { instanceCommand, instanceOf, type Context, type InstanceOptions } from './context.js'
import { stepOf, tellDeployed } from './deploy-progress.js'

export function addRollback(program: Command, context: Context): void {
  instanceCommand(program, 'rollback', 'goes back to an earlier release')
    .argument('[release]', 'by default the one before; start is the app that the program was started with')
    .action(async (release: string | undefined, options: InstanceOptions) => {
      const { output } = context
      const { client } = await instanceOf(options, context)
      const deployed = await client.rollback(release, event => {
        if (options.json === true) output.json(event)
        else output.print(stepOf(event))
      })
      tellDeployed(output, deployed, options.json === true)
    })
}

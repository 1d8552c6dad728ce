import type { Command } from 'commander'
import { instanceCommand, instanceOf, type Context, type InstanceOptions } from './context.js'
import { tellChange } from './deploy-progress.js'

export function addRollback(program: Command, context: Context): void {
  instanceCommand(program, 'rollback', 'goes back to an earlier release')
    .argument('[release]', 'the previous one by default; start is the app that the program was started with')
    .action(async (release: string | undefined, options: InstanceOptions) => {
      const { client } = await instanceOf(options, context)
      await tellChange(context, options, told => client.rollback(release, told))
    })
}

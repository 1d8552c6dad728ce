import type { Command } from 'commander'
import { instanceCommand, instanceOf, type Context, type InstanceOptions } from './context.js'
import { BAKE, bakeOf, CANARY, percentOf, stagesOf, type TrialOptions } from './deploy.js'
import { tellChange } from './deploy-progress.js'

export function addActivate(program: Command, context: Context): void {
  instanceCommand(program, 'activate', 'makes a release live that is in preview, or was kept')
    .argument('<release>', 'id of the release, as outpost releases shows it')
    .option('--canary <percent>', CANARY, percentOf, 20)
    .option('--bake <seconds>', BAKE, bakeOf, '10')
    .action(async (release: string, options: InstanceOptions & TrialOptions) => {
      const { client } = await instanceOf(options, context)
      await tellChange(context, options, told => client.activate(release, stagesOf(options), told))
    })
}

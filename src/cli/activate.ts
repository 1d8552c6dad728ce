import type { Command } from 'commander'
import { instanceCommand, instanceOf, type Context, type InstanceOptions } from './context.js'
import { BAKE, bakeOf, CANARY, percentOf, stagesOf, type TrialOptions } from './deploy.js'
import { stepOf, tellDeployed } from './deploy-progress.js'

export function addActivate(program: Command, context: Context): void {
  instanceCommand(program, 'activate', 'makes a release live that is in preview, or was kept')
    .argument('<release>', 'id of the release, as outpost releases shows it')
    .option('--canary <percent>', CANARY, percentOf, 20)
    .option('--bake <seconds>', BAKE, bakeOf, '10')
    .action(async (release: string, options: InstanceOptions & TrialOptions) => {
      const { output } = context
      const { client } = await instanceOf(options, context)
      const deployed = await client.activate(release, stagesOf(options), event => {
        if (options.json === true) output.json(event)
        else output.print(stepOf(event))
      })
      tellDeployed(output, deployed, options.json === true)
    })
}

import { existsSync } from 'node:fs'
import type { Command } from 'commander'
import { exitCodes } from '../process/exit.js'
import type { Context } from './context.js'
import { startDetached } from './detached.js'
import { Failure } from './failure.js'
import { more } from './option-values.js'
import { launchOf, prepare, type Launch, type StartOptions } from './launch.js'
import { ecosystemLaunch, FOR_ECOSYSTEM_FILES, isEcosystemFile } from './pm2/ecosystem.js'

interface AllStartOptions extends StartOptions {
  detach?: true
  env?: string
  only?: string
  json?: true
}

export function addStart(program: Command, context: Context): void {
  program
    .command('start')
    .description('starts an app on all cores of the machine')
    .usage('[options] [app] [-- arguments of the app]')
    .argument(
      '[app]',
      'a file; a folder with a package.json, in which the app then runs; an ecosystem file of PM2; by default APP, else the built-in app',
    )
    .option(
      '-w, --workers <number>',
      'how many workers; auto is one per core, 2-8 by load, 0-8 by load and none while idle',
    )
    .option('-p, --port <port>', 'the public port')
    .option('--env-file <file>', 'variables like NAME=value; those that are set already stay; may be repeated', more)
    .option('--env <name>', "with PM2's ecosystem file: adds the variables of env_<name>")
    .option('--only <name>', "with PM2's ecosystem file: the app to start, if it has several")
    .option('-d, --detach', 'runs in the background; the command ends once the app serves')
    .option('--data-dir <folder>', 'the folder for everything it writes, ./.outpost by default')
    .option('--json', 'with -d: prints JSON')
    .addHelpText('after', '\nWithout -d this command becomes the program: it prints the log, Ctrl-C stops it.')
    .action(async (app: string | undefined, options: AllStartOptions) => {
      const { output } = context
      if (options.json === true && options.detach !== true) {
        throw new Failure(
          exitCodes.usage,
          '--json is for start -d: in the foreground the output is that of the program',
        )
      }
      const launch = await launchFor(app, options, context.appArgs)
      for (const note of launch.notes) output.note(note)
      if (app === undefined && existsSync('package.json') && launch.settings['APP'] === undefined) {
        output.note('outpost start . would start the app of this folder')
      }
      prepare(launch, options)
      if (options.detach === true) await startDetached(context, options.json === true)
      else await import('../main.js')
    })
}

async function launchFor(
  app: string | undefined,
  { env, only }: AllStartOptions,
  args: readonly string[],
): Promise<Launch> {
  if (app !== undefined && isEcosystemFile(app)) {
    return ecosystemLaunch(app, { args, ...(env && { env }), ...(only && { only }) })
  }
  if (env === undefined && only === undefined) return launchOf(app, args)
  throw new Failure(exitCodes.usage, FOR_ECOSYSTEM_FILES)
}

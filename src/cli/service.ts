import { existsSync, statSync } from 'node:fs'
import { userInfo } from 'node:os'
import { basename, join, resolve } from 'node:path'
import type { Command } from 'commander'
import { startFolder } from '../config/app-environment.js'
import { findAppModule } from '../config/app-module.js'
import { namedUser } from '../config/command-environment.js'
import { wholeNumber, workerRange } from '../config/parsers.js'
import { exitCodes } from '../process/exit.js'
import type { Context } from './context.js'
import { Failure } from './failure.js'
import { launchOf, type StartOptions } from './launch.js'
import { FOR_ECOSYSTEM_FILES, isEcosystemFile } from './pm2/ecosystem.js'
import { unitOf } from './systemd-unit.js'
import { more } from './option-values.js'

interface ServiceOptions extends StartOptions {
  env?: string
  only?: string
  user?: true
  name?: string
  json?: true
}

export function addService(program: Command, context: Context): void {
  program
    .command('service')
    .description('prints a systemd unit that starts the app at boot, and again after a failure')
    .usage('[options] [app] [-- arguments of the app]')
    .argument('[app]', 'as for outpost start')
    .option(
      '-w, --workers <number>',
      'how many workers; auto is one per core, 2-8 by load, 0-8 by load and none while idle',
    )
    .option('-p, --port <port>', 'the public port')
    .option('--env-file <file>', 'variables like NAME=value; may be repeated', more)
    .option('--env <name>', "with PM2's ecosystem file: adds the variables of env_<name>")
    .option('--only <name>', "with PM2's ecosystem file: the app to start, if it has several")
    .option('--data-dir <folder>', 'the folder for everything it writes, ./.outpost by default')
    .option('--user', 'a unit for systemctl --user')
    .option('--name <name>', 'the name of the unit, by default that of the folder')
    .option('--json', 'prints JSON')
    .action((app: string | undefined, options: ServiceOptions) => {
      const { output, appArgs, command } = context
      requireUsable(app, options)
      const { cwd = process.cwd() } = launchOf(app, appArgs)
      const dataDir = resolve(options.dataDir ?? join(cwd, '.outpost'))
      const name = options.name ?? basename(cwd).replace(/[^\w.-]+/g, '-')
      const unit = unitOf({
        description: `Outpost: ${app ?? 'built-in app'}`,
        cwd,
        outpost: [process.execPath, '--', command],
        start: startWords(app, options, dataDir, appArgs),
        dataDir,
        runAs: options.user === true ? undefined : userOfService(cwd),
        port: options.port === undefined ? undefined : Number(options.port),
      })
      if (options.json === true) return output.json({ name: `${name}.service`, unit })
      output.print(unit.trimEnd())
      output.note(howToInstall(name, options.user === true))
    })
}

/** Refuses what a start would refuse, so that it does not come out at the next boot. @throws {Failure} */
function requireUsable(app: string | undefined, { workers, port, env, only }: ServiceOptions): void {
  if ((env !== undefined || only !== undefined) && (app === undefined || !isEcosystemFile(app)))
    throw new Failure(exitCodes.usage, FOR_ECOSYSTEM_FILES)
  const path = app === undefined ? undefined : resolve(startFolder(), app)
  if (path !== undefined && !existsSync(path) && findAppModule(path) === undefined) {
    throw new Failure(exitCodes.config, `no such app: ${app}`)
  }
  for (const [name, parser, text] of [
    ['--workers', workerRange, workers],
    ['--port', wholeNumber(0, 65_535), port],
  ] as const) {
    if (text !== undefined && parser.parse(text) === undefined)
      throw new Failure(exitCodes.usage, `${name} ${text}: must be ${parser.accepted}`)
  }
}

/** As the program chooses when root starts it: RUN_AS, else the owner of the app's folder, else the user who typed this. */
function userOfService(folder: string): string {
  const named = namedUser()
  if (named !== undefined) return named
  const { uid, username } = userInfo()
  const owner = statSync(folder).uid
  return uid === 0 && owner !== 0 ? String(owner) : username
}

/** The words behind `outpost start`; no path depends on the folder. */
function startWords(
  app: string | undefined,
  { workers, port, envFile = [], env, only }: ServiceOptions,
  dataDir: string,
  appArgs: readonly string[],
): string[] {
  return [
    ...(app === undefined ? [] : [resolve(startFolder(), app)]),
    ...['--data-dir', dataDir],
    ...(workers === undefined ? [] : ['--workers', workers]),
    ...(port === undefined ? [] : ['--port', port]),
    ...envFile.flatMap(file => ['--env-file', resolve(file)]),
    ...(env === undefined ? [] : ['--env', env]),
    ...(only === undefined ? [] : ['--only', only]),
    ...(appArgs.length === 0 ? [] : ['--', ...appArgs]),
  ]
}

function howToInstall(name: string, forUser: boolean): string {
  const [folder, sudo, user] = forUser
    ? ['~/.config/systemd/user', '', ' --user']
    : ['/etc/systemd/system', 'sudo ', '']
  return `write it to ${folder}/${name}.service, then ${sudo}systemctl${user} enable --now ${name}`
}

import { createReadStream, statSync } from 'node:fs'
import { basename, resolve } from 'node:path'
import type { Readable } from 'node:stream'
import { InvalidArgumentError, type Command } from 'commander'
import { exitCodes } from '../process/exit.js'
import { instanceCommand, instanceOf, type Context, type InstanceOptions } from './context.js'
import { tellChange } from './deploy-progress.js'
import { Failure } from './failure.js'
import { packFolder } from './packed-folder.js'
import { urlOf } from './status.js'

/** How a release is tried. */
export interface TrialOptions {
  canary: number
  bake: string
}

interface DeployOptions extends InstanceOptions, TrialOptions {
  preview?: true
}

export const CANARY = 'share of the clients that get it first'
export const BAKE = 'how long the trial lasts; 0 for none; or stages, e.g. 10%:30s,50%:30s'

export function addDeploy(program: Command, context: Context): void {
  instanceCommand(program, 'deploy', 'replaces the app by another version, tried on a share of the clients first')
    .argument('<source>', 'a folder; a .tar or .tgz; or - for an archive on standard input')
    .option('--canary <percent>', CANARY, percentOf, 20)
    .option('--bake <seconds>', BAKE, bakeOf, '10')
    .option('--preview', 'only clients with its link get it; outpost activate makes it live')
    .addHelpText(
      'after',
      '\nIf the release fails, it is taken back, the previous one keeps serving, and the exit code is 1.',
    )
    .action(async (source: string, options: DeployOptions) => {
      const { client, dataDir } = await instanceOf(options, context)
      const status = await client.status()
      const { app } = status
      const archive = await archiveOf(source, dataDir, app)
      const preview = options.preview === true
      const query = { source: nameOf(source), ...(preview ? { preview: '1' } : { stages: stagesOf(options) }) }
      await tellChange(context, options, told => client.deploy(archive, query, told), urlOf(status))
    })
}

export function percentOf(text: string): number {
  const percent = Number(text.replace(/%$/, ''))
  if (percent > 0 && percent < 100) return percent
  throw new InvalidArgumentError(`It must be a number above 0 and under 100. ${NO_TRIAL}`)
}

/** With all clients at the new release there is none to compare it with. */
const NO_TRIAL = 'With 100 there is nothing to compare; --bake 0 deploys without a trial.'

const STAGE = /^(\d{1,3}(?:\.\d+)?)%:(\d{1,6})s?$/

export function bakeOf(text: string): string {
  if (/^\d{1,6}s?$/.test(text)) return text.replace('s', '')
  if (areStages(text.split(','))) return text
  throw new InvalidArgumentError(
    `It must be a number of seconds, or up to 20 stages like 10%:30s,50%:30s, in growing shares under 100 %. ${NO_TRIAL}`,
  )
}

/** A smaller share after a larger one would take clients back to the previous release. */
function areStages(stages: readonly string[]): boolean {
  const shares = stages.map(stage => Number(STAGE.exec(stage)?.[1] ?? NaN))
  const areGrowing = shares.every((share, i) => share > (shares[i - 1] ?? 0) && share < 100)
  return areGrowing && stages.length <= 20
}

/** As the control API takes them. */
export function stagesOf({ canary, bake }: TrialOptions): string {
  if (/^\d+$/.test(bake)) return bake === '0' ? '' : `${canary}:${bake}`
  return bake.replace(/%:(\d+)s?/g, ':$1')
}

function nameOf(source: string): string {
  return source === '-' ? 'standard input' : basename(resolve(source))
}

async function archiveOf(source: string, dataDir: string, app: string | undefined): Promise<Readable> {
  if (source === '-') return process.stdin
  const stats = statSync(source, { throwIfNoEntry: false })
  if (stats === undefined) throw new Failure(exitCodes.usage, `no such file or folder: ${source}`)
  if (stats.isFile() && /\.([cm]?[jt]sx?|json)$/.test(source)) {
    throw new Failure(exitCodes.usage, `${source} is no archive: name the folder of the app, or a .tar or .tgz of it`)
  }
  return stats.isDirectory() ? packFolder({ folder: source, dataDir, app }) : createReadStream(source)
}

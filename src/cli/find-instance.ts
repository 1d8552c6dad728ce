import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { namedDataDir, stateFolder } from '../config/command-environment.js'
import { NoAnswerError, NotRunningError } from '../control/call.js'
import { ControlClient } from '../control/client.js'
import { registeredInstances } from '../control/instance-registry.js'
import { lockHolderIn } from '../control/lock-holder.js'
import { ControlError } from '../control/protocol.js'
import { UpgradeWait } from '../control/upgrade-wait.js'
import { exitCodes } from '../process/exit.js'
import { Failure } from './failure.js'

export interface FoundInstance {
  dataDir: string
  client: ControlClient
}

/** An instance that a command was told to use, or the reason why it uses this one. */
export interface Found extends FoundInstance {
  /** It was chosen because no other one runs. */
  isOnlyOne: boolean
}

/** One that runs, but does not answer. */
interface SilentInstance {
  dataDir: string
  silence: NoAnswerError
}

/** An instance that has no control socket yet, or none any more. */
export class BetweenError extends Failure {
  constructor(
    readonly dataDir: string,
    readonly pid: number,
  ) {
    const what = 'is starting or stopping, and takes no commands'
    super(exitCodes.notRunning, `Outpost (pid ${pid}) on ${dataDir} ${what}; outpost stop waits for its end`)
  }
}

/**
 * The instance of a command: by the option, else by DATA_DIR, else in ./.outpost, else the only one of this user that runs.
 * @param onWait called when an upgrade is under way there, which it waits for
 * @throws {Failure} nothing runs there, or several run and none was named
 */
export async function findInstance(option: string | undefined, onWait?: () => void): Promise<Found> {
  const here = resolve('.outpost')
  const dataDir = option === undefined ? (namedDataDir() ?? (existsSync(here) ? here : undefined)) : resolve(option)
  if (dataDir !== undefined) {
    const client = await clientOf(dataDir, onWait)
    if (client !== undefined) return { dataDir, client, isOnlyOne: false }
    const holder = lockHolderIn(dataDir)
    if (holder !== undefined) throw new BetweenError(dataDir, holder)
    const others = othersThan(await runningInstances())
    throw new Failure(exitCodes.notRunning, `no Outpost runs on ${dataDir}${others}${lastLogIn(dataDir)}`)
  }
  const running = await runningInstances(onWait)
  const [only] = running
  if (only === undefined) {
    const what = 'no Outpost of this user runs, and there is no .outpost in this folder'
    throw new Failure(exitCodes.notRunning, `${what}: outpost start starts one`)
  }
  if (running.length === 1 && 'silence' in only) throw only.silence
  if (running.length === 1 && 'client' in only) return { ...only, isOnlyOne: true }
  throw new Failure(exitCodes.usage, `${running.length} instances run: name one by --data-dir${listOf(running)}`)
}

/** All of this user that run, by their DATA_DIR. One that does not answer is no reason to take another in its place. */
export async function runningInstances(onWait?: () => void): Promise<Array<FoundInstance | SilentInstance>> {
  const asked = registeredInstances(stateFolder()).map(async ({ dataDir }) => {
    try {
      const client = await clientOf(dataDir, onWait)
      return client === undefined ? [] : [{ dataDir, client }]
    } catch (error) {
      return error instanceof NoAnswerError ? [{ dataDir, silence: error }] : []
    }
  })
  return (await Promise.all(asked)).flat()
}

/** Waits for the next program where one takes over. @returns undefined when nothing runs there */
export function clientOf(dataDir: string, onWait?: () => void): Promise<ControlClient | undefined> {
  return connected(dataDir, new UpgradeWait(dataDir, onWait))
}

/** The same, at this moment. */
export function presentClientOf(dataDir: string): Promise<ControlClient | undefined> {
  return connected(dataDir, undefined)
}

async function connected(dataDir: string, wait: UpgradeWait | undefined): Promise<ControlClient | undefined> {
  try {
    return await ControlClient.of(dataDir, wait)
  } catch (error) {
    if (error instanceof NotRunningError || isStopping(error)) return undefined
    throw error
  }
}

/** It has ended its control socket while a command used that. */
export function isStopping(error: unknown): boolean {
  return error instanceof ControlError && error.code === 'STOPPING'
}

function othersThan(running: ReadonlyArray<{ dataDir: string }>): string {
  return running.length === 0 ? ': outpost start starts one' : `; others run, for --data-dir:${listOf(running)}`
}

/** A command for an instance that has ended names the log that says why. */
function lastLogIn(dataDir: string): string {
  const path = join(dataDir, 'logs', 'outpost.log')
  return existsSync(path) ? `\nlog of the last instance: ${path}` : ''
}

function listOf(running: ReadonlyArray<{ dataDir: string }>): string {
  return running.map(({ dataDir }) => `\n  ${dataDir}`).join('')
}

import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import fs from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { readConfig, type Config } from '../config/config.js'
import type { ControlClient } from '../control/client.js'
import { ControlError, type Status } from '../control/protocol.js'
import { exitCodes } from '../process/exit.js'
import type { Context } from './context.js'
import { Failure } from './failure.js'
import { clientOf, presentClientOf } from './find-instance.js'
import { urlOf } from './status.js'
import { count } from './units.js'

const LOOK_EVERY_MS = 50
/** Longer than most starts take. */
const HINT_AFTER_MS = 3_000

/** The program in a session of its own. */
interface Background {
  process: ChildProcess
  /** Its output before it has a log: the reason why it cannot start. */
  stderrFile: string
  /** Rejects with the reason of its end. */
  ended: Promise<never>
  /** Stops it. A second SIGTERM would cut its stop short. */
  stop: () => void
}

/**
 * Starts the program in the background, with the environment of this process, and waits until it serves.
 * @throws {Failure} it cannot start, or a worker failed before anything was served; nothing is left running then
 */
export async function startDetached({ output, program }: Context, json: boolean): Promise<void> {
  const config = usableConfig()
  const running = await clientOf(config.dataDir)
  if (running !== undefined) {
    const { pid } = await running.status()
    throw new Failure(
      exitCodes.config,
      `Outpost (pid ${pid}) runs on ${config.dataDir} already; outpost reload replaces its code`,
    )
  }
  const background = begin(program, config.dataDir)
  const hint = setTimeout(() => {
    if (!json) output.note('the app does not serve yet; Ctrl-C ends the start')
  }, HINT_AFTER_MS)
  const interruption = new Interruption(background)
  try {
    const otherwise = Promise.race([interruption.given, background.ended])
    const status = await untilItServes(background, config.dataDir, otherwise)
    const logs = join(config.dataDir, 'logs', 'outpost.log')
    const { pid, wanted, release = 'start' } = status
    const isAsStarted = release === 'start'
    if (json) return output.json({ pid, url: urlOf(status), release, dataDir: config.dataDir, logs })
    const facts = [`pid ${pid}`, count(wanted.workers, 'worker'), ...(isAsStarted ? [] : [`release ${release}`])]
    output.print(`${output.paint('green', `Outpost serves ${urlOf(status)}`)} (${facts.join(', ')})`)
    output.print(`logs: ${logs}, or outpost logs -f`)
    if (!isAsStarted) output.note(`${release} was live at the last stop, and is again: outpost deploy replaces it`)
  } finally {
    clearTimeout(hint)
    if (process.getuid?.() === 0) fs.rmSync(dirname(background.stderrFile), { recursive: true, force: true })
    interruption.stopListening()
    background.process.unref()
  }
}

/** The same check as the program's own, before anything is started. */
function usableConfig(): Config {
  try {
    return readConfig()
  } catch (error) {
    throw new Failure(exitCodes.config, (error as Error).message)
  }
}

/**
 * Root writes nothing to DATA_DIR: the program may become another user, who makes that folder, and could have made a link
 * to a file of root's in it.
 */
function folderForErrors(dataDir: string): string {
  if (process.getuid?.() === 0) return fs.mkdtempSync(join(tmpdir(), 'outpost-start-'))
  const logs = join(dataDir, 'logs')
  fs.mkdirSync(logs, { recursive: true, mode: 0o700 })
  return logs
}

function begin(program: string, dataDir: string): Background {
  let file: number
  let stderrFile: string
  try {
    stderrFile = join(folderForErrors(dataDir), 'start.log')
    file = fs.openSync(stderrFile, 'w', 0o600)
  } catch (error) {
    throw new Failure(
      exitCodes.config,
      `DATA_DIR: must be a folder that this user can write to: ${(error as Error).message}`,
    )
  }
  const started = spawn(process.execPath, [program], { detached: true, stdio: ['ignore', 'ignore', file] })
  fs.closeSync(file)
  const ended = once(started, 'exit').then(([code]: unknown[]) => {
    const said = fs
      .readFileSync(stderrFile, 'utf8')
      .trim()
      .replace(/^outpost: /, '')
    const isConfig = code === exitCodes.config
    throw new Failure(isConfig ? exitCodes.config : exitCodes.failure, said === '' ? 'Outpost has stopped' : said)
  })
  ended.catch(() => undefined)
  let isStopped = false
  const stop = (): void => {
    if (!isStopped) started.kill('SIGTERM')
    isStopped = true
  }
  return { process: started, stderrFile, ended, stop }
}

/** @param otherwise rejects when there is nothing to wait for any more */
async function untilItServes(background: Background, dataDir: string, otherwise: Promise<never>): Promise<Status> {
  try {
    let client: ControlClient | undefined
    while (client === undefined) {
      await Promise.race([sleep(LOOK_EVERY_MS), otherwise])
      client = await presentClientOf(dataDir)
    }
    return await Promise.race([client.serving(), otherwise])
  } catch (error) {
    if (error instanceof Failure) throw error
    background.stop()
    // The program prints why it has ended, unless a worker did, or Ctrl-C.
    const reason = await otherwise.catch((reason: unknown) => Failure.of(reason))
    if (!(error instanceof ControlError) || error.code !== 'START_FAILED') throw reason
    const { message, lastLines, code } = error
    throw new Failure(exitCodes.failure, `the app does not start: ${message}`, lastLines, code)
  }
}

/** Ctrl-C while the start is waited for gives it up. */
class Interruption {
  readonly given: Promise<never>
  readonly #listeners = new Map<NodeJS.Signals, () => void>()

  constructor({ process: started, stop }: Background) {
    this.given = new Promise((_resolve, reject) => {
      for (const signal of ['SIGINT', 'SIGTERM'] as const) {
        this.#listeners.set(signal, () => {
          started.once('exit', () => reject(new Failure(exitCodes.failure, `the start was given up: ${signal}`)))
          stop()
        })
      }
    })
    for (const [signal, listener] of this.#listeners) process.once(signal, listener)
  }

  stopListening(): void {
    for (const [signal, listener] of this.#listeners) process.off(signal, listener)
  }
}

/**
 * The processes that the bench starts, each ended by its id in every case. Each leads a process group of its own, and
 * its own children end with it.
 */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'

const STOP_MS = 8_000

/** The folder of this run: configurations, logs, sockets. Short, since a unix socket's path may have 104 bytes. */
const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'bench-'))

export type Environment = Record<string, string | undefined>

/** A program that the bench runs. */
export interface Started {
  readonly child: ChildProcess
  readonly pid: number
  /** The file with its output. */
  readonly logFile: string
  /** Resolves when the program has ended, or could not be started. */
  readonly over: Promise<unknown>
}

const running = new Set<Started>()
const lastResorts = new Set<() => void>()

/** A new folder inside that of this run. */
export function newFolder(name: string): string {
  return fs.mkdtempSync(path.join(folder, `${name}-`))
}

/** The variables that any program needs to run, without the settings of the user. */
function cleanEnvironment(more: Environment = {}): NodeJS.ProcessEnv {
  const { PATH = '', HOME, LANG } = process.env
  return { PATH: `${PATH}:/usr/sbin:/sbin`, HOME, LANG: LANG ?? 'C.UTF-8', NODE_ENV: 'production', ...more }
}

/** Starts a program whose output goes to a file. @throws {Error} it cannot be started */
export function start(name: string, command: string, args: readonly string[], env: Environment = {}): Started {
  const logFile = path.join(folder, `${name}.log`)
  const log = fs.openSync(logFile, 'a')
  const stdio = ['ignore', log, log] as const
  const child = spawn(command, args, { cwd: folder, env: cleanEnvironment(env), detached: true, stdio: [...stdio] })
  fs.closeSync(log)
  const over = new Promise(resolve => {
    child.once('error', resolve)
    child.once('exit', resolve)
  })
  if (child.pid === undefined) throw new Error(`${command} cannot be started`)
  const started = { child, pid: child.pid, logFile, over }
  running.add(started)
  return started
}

/** Asks the program to end. Kills its group when it has not ended in time or left a process behind. */
export async function stop(started: Started, signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
  const { child, over } = started
  if (child.exitCode === null && child.signalCode === null) child.kill(signal)
  const late = new Promise(resolve => setTimeout(resolve, STOP_MS).unref())
  await Promise.race([over, late])
  killGroup(started)
  running.delete(started)
}

/** Runs a program to its end. Throws with its output when it fails. */
export function run(command: string, args: readonly string[], env: Environment = {}, timeoutMs = 60_000): string {
  const options = { cwd: folder, env: cleanEnvironment(env), encoding: 'utf8', timeout: timeoutMs } as const
  const { status, stdout, stderr, error } = spawnSync(command, args, options)
  if (status !== 0) {
    // Both are null when the program could not be started.
    const said = [stdout as string | null, stderr as string | null].join('').trim().slice(-2_000)
    throw new Error(`${path.basename(command)} ${args.join(' ')}: ${error?.message ?? said}`)
  }
  return stdout
}

/** The path of a system program; undefined when it is not installed. */
export function findProgram(name: string): string | undefined {
  const places = [...(process.env['PATH'] ?? '').split(':'), '/usr/sbin', '/sbin']
  return places.map(place => path.join(place, name)).find(file => fs.existsSync(file))
}

/** @throws {Error} it is not installed */
export function needProgram(name: string): string {
  const program = findProgram(name)
  if (program === undefined) throw new Error(`${name} is not installed`)
  return program
}

/** Does some synchronous work if the bench ends early. @returns a function that cancels it */
export function asLastResort(work: () => void): () => void {
  lastResorts.add(work)
  return () => void lastResorts.delete(work)
}

function killGroup({ pid }: Started): void {
  try {
    process.kill(-pid, 'SIGKILL')
  } catch {
    // The group is empty.
  }
}

process.on('exit', () => {
  for (const work of lastResorts) {
    try {
      work()
    } catch {
      // The other processes still have to be ended.
    }
  }
  for (const started of running) killGroup(started)
  if (process.env['BENCH_KEEP'] !== '1') fs.rmSync(folder, { recursive: true, force: true })
})
for (const [signal, code] of [
  ['SIGINT', 130],
  ['SIGTERM', 143],
  ['SIGHUP', 129],
] as const) {
  process.on(signal, () => process.exit(code))
}

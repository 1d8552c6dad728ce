import { spawn, spawnSync, type ChildProcessByStdio } from 'node:child_process'
import fs from 'node:fs'
import type { Readable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { allPids, kill } from '../../process/process-table.js'
import { guardScript, type GuardScript } from '../guard-script.js'

/**
 * A named pipe that the primary and all its balancers and workers keep open for writing. A reader sees its end when the
 * last of them has exited, and then the embedded servers may exit (see `spawnGuarded`). The open pipe also marks the
 * processes of an instance: a start after a crash finds leftovers by it.
 */
export class Lifeline {
  private constructor(
    readonly path: string,
    /** The open file that children inherit. */
    readonly fd: number,
  ) {}

  static open(path: string): Lifeline {
    fs.rmSync(path, { force: true })
    const { status, error } = spawnSync('mkfifo', ['-m', '600', path])
    if (error !== undefined || status !== 0) throw new Error(`cannot create the named pipe ${path}`)
    // Also opened for reading, because opening a pipe for writing alone would wait for a reader.
    return new Lifeline(path, fs.openSync(path, fs.constants.O_RDWR))
  }

  close(): void {
    fs.closeSync(this.fd)
    fs.rmSync(this.path, { force: true })
  }
}

const LEAVE_MS = 1_000
const POLL_MS = 10

/**
 * Ends the processes of an earlier instance whose primary was killed: SIGTERM first, then SIGKILL.
 * @returns how many there were
 */
export async function endLeftovers(path: string): Promise<number> {
  if (!fs.existsSync(path)) return 0
  const found = holdersOf(path)
  for (const pid of found) kill(pid, 'SIGTERM')
  const deadline = Date.now() + LEAVE_MS
  let left = found
  while (left.length > 0 && Date.now() < deadline) {
    await sleep(POLL_MS)
    left = holdersOf(path)
  }
  while (left.length > 0) {
    for (const pid of left) kill(pid)
    await sleep(POLL_MS)
    left = holdersOf(path)
  }
  // Those that led a group have started others, which may not have the pipe open.
  for (const pid of found) kill(-pid)
  return found.length
}

/** The processes that have the pipe open (proc(5): a link per open file). */
function holdersOf(path: string): number[] {
  const real = fs.realpathSync(path)
  return allPids().filter(pid => pid !== process.pid && holds(pid, real))
}

function holds(pid: number, path: string): boolean {
  try {
    return fs.readdirSync(`/proc/${pid}/fd`).some(fd => linkOf(`/proc/${pid}/fd/${fd}`) === path)
  } catch {
    return false // the process has exited, or belongs to another user
  }
}

function linkOf(path: string): string | undefined {
  try {
    return fs.readlinkSync(path)
  } catch {
    return undefined
  }
}

/**
 * Runs a server that cannot watch the lifeline itself. Its guard sends it SIGTERM when the primary and all its children
 * have exited. Both are in a session of their own, which Ctrl-C in a terminal does not reach.
 */
export function spawnGuarded(
  lifeline: string,
  command: readonly string[],
  env?: NodeJS.ProcessEnv,
): ChildProcessByStdio<null, Readable, Readable> {
  return spawnWith('server-guard', lifeline, command, env === undefined ? {} : { env })
}

/**
 * Runs a command of the app beside its web. Its guard leads a process group, which gets SIGTERM when the primary and all
 * its children have exited, and SIGKILL five seconds later.
 */
export function spawnBesideWeb(
  lifeline: string,
  command: readonly string[],
  place: { cwd: string; env: NodeJS.ProcessEnv },
): ChildProcessByStdio<null, Readable, Readable> {
  return spawnWith('process-guard', lifeline, command, place)
}

function spawnWith(
  guard: GuardScript,
  lifeline: string,
  command: readonly string[],
  place: { cwd?: string; env?: NodeJS.ProcessEnv },
): ChildProcessByStdio<null, Readable, Readable> {
  // Opened here, because a guard that opens it later might wait for a writer that has been killed by then.
  const pipe = fs.openSync(lifeline, 'r')
  try {
    return spawn('sh', [guardScript(guard), ...command], {
      ...place,
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe', pipe],
    }) as ChildProcessByStdio<null, Readable, Readable>
  } finally {
    fs.closeSync(pipe)
  }
}

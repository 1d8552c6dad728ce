import { allPids, isAlive, readProc, readProcLink, titleOf } from '#scripts/lib/proc.js'
import { until } from './deadline.js'

export { isAlive, kill } from '#scripts/lib/proc.js'

export interface ProcessInfo {
  pid: number
  /** As `ps` shows it, e.g. `outpost worker 3`. */
  title: string
}

/**
 * The processes of one instance, whatever their parent is now: those with its DATA_DIR in the environment, and those
 * with their working directory in it (redis-server overwrites its environment with its title).
 */
export function processesOf(dataDir: string): ProcessInfo[] {
  const pids = allPids()
  const strangers = strangersTo(dataDir, pids)
  return pids
    .filter(pid => {
      const looks = strangers.get(pid) ?? 0
      if (isLookedAt(looks) && belongsTo(pid, dataDir)) return true
      strangers.set(pid, looks + 1)
      return false
    })
    .map(pid => ({ pid, title: titleOf(pid) }))
}

/** Waits for the end of a process: after a SIGKILL the kernel takes a while to free its memory. */
export function gone(pid: number): Promise<void> {
  return until(() => !isAlive(pid), `the end of process ${pid}`)
}

/**
 * A process that was just forked still has its parent's environment and folder, for a while on a busy machine, so one
 * look is not enough. After the first few looks only every second, fourth, eighth … is taken, because tests list all
 * processes of the machine many times a second.
 */
function isLookedAt(looksBefore: number): boolean {
  return looksBefore < 5 || Number.isInteger(Math.log2(looksBefore))
}

/** How often each process was found not to belong to an instance. */
const strangersByFolder = new Map<string, Map<number, number>>()

function strangersTo(dataDir: string, pids: readonly number[]): Map<number, number> {
  const before = strangersByFolder.get(dataDir) ?? new Map<number, number>()
  const strangers = new Map<number, number>()
  for (const pid of pids) if (before.has(pid)) strangers.set(pid, before.get(pid) ?? 0)
  strangersByFolder.set(dataDir, strangers)
  return strangers
}

function belongsTo(pid: number, dataDir: string): boolean {
  if (pid === process.pid) return false
  const environment = `\0${readProc(`${pid}/environ`)}`
  return environment.includes(`\0DATA_DIR=${dataDir}\0`) || readProcLink(`${pid}/cwd`).startsWith(dataDir)
}

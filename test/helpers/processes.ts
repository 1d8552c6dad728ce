import fs from 'node:fs'

export interface ProcessInfo {
  pid: number
  /** As `ps` shows it, e.g. `outpost worker 3`. */
  title: string
}

/**
 * The processes of one instance, however they were started and whoever is their parent now: those that were given its
 * DATA_DIR, and those that work in it (redis-server writes its title over its environment).
 */
export function processesOf(dataDir: string): ProcessInfo[] {
  const pids = fs.readdirSync('/proc').filter(name => /^\d+$/.test(name))
  const strangers = strangersTo(dataDir, pids)
  return pids
    .filter(pid => {
      const looks = strangers.get(pid) ?? 0
      if (isLookedAt(looks) && belongsTo(pid, dataDir)) return true
      strangers.set(pid, looks + 1)
      return false
    })
    .map(pid => ({ pid: Number(pid), title: read(`/proc/${pid}/cmdline`).replaceAll('\0', ' ').trim() }))
}

/**
 * A process that has just been forked still has its parent's environment and folder, on a busy machine for a while:
 * one look is not enough. After the first few, only every second, fourth, eighth … counts: tests ask many times a
 * second, of a whole machine.
 */
function isLookedAt(looksBefore: number): boolean {
  return looksBefore < 5 || Number.isInteger(Math.log2(looksBefore))
}

/** How often each process was found not to belong to an instance. */
const strangersByFolder = new Map<string, Map<string, number>>()

function strangersTo(dataDir: string, pids: readonly string[]): Map<string, number> {
  const before = strangersByFolder.get(dataDir) ?? new Map<string, number>()
  const strangers = new Map<string, number>()
  for (const pid of pids) if (before.has(pid)) strangers.set(pid, before.get(pid) ?? 0)
  strangersByFolder.set(dataDir, strangers)
  return strangers
}

function belongsTo(pid: string, dataDir: string): boolean {
  if (Number(pid) === process.pid) return false
  return `\0${read(`/proc/${pid}/environ`)}`.includes(`\0DATA_DIR=${dataDir}\0`) || folderOf(pid).startsWith(dataDir)
}

function folderOf(pid: string): string {
  try {
    return fs.readlinkSync(`/proc/${pid}/cwd`)
  } catch {
    return ''
  }
}

/** Empty when the process has gone, or is somebody else's. */
function read(path: string): string {
  try {
    return fs.readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}

export function isAlive(pid: number): boolean {
  // A zombie has ended, though its parent has not asked how.
  const state = /\) (\S)/.exec(read(`/proc/${pid}/stat`))?.[1]
  return state !== undefined && state !== 'Z'
}

/** Does nothing when it has gone already. */
export function kill(pid: number, signal: NodeJS.Signals = 'SIGKILL'): void {
  try {
    process.kill(pid, signal)
  } catch {
    // It has just gone by itself.
  }
}

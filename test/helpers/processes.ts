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
  return fs
    .readdirSync('/proc')
    .filter(name => /^\d+$/.test(name) && belongsTo(name, dataDir))
    .map(name => ({ pid: Number(name), title: read(`/proc/${name}/cmdline`).replaceAll('\0', ' ').trim() }))
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

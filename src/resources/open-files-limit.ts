import fs from 'node:fs'

/** Where Linux lists the open files of this process (proc(5)). */
const OPEN_FILES = '/proc/self/fd'

/** A process that accepts few clients still gets this share of its limit for connections. */
const LEAST_SHARE = 1 / 4

/** The soft limit of this process (proc(5)), which Node has raised to the hard one; infinite where it is unknown. */
export function openFilesLimit(): number {
  try {
    const soft = /^Max open files +(\d+)/m.exec(fs.readFileSync('/proc/self/limits', 'utf8'))?.[1]
    return soft === undefined ? Infinity : Number(soft)
  } catch {
    return Infinity
  }
}

/**
 * How many open files this process may use for connections.
 * @param reserve for all else that it will open
 */
export function openFilesForConnections(reserve: number, limit = openFilesLimit(), open = openFilesNow()): number {
  if (limit === Infinity) return limit
  return Math.max(limit - open - reserve, Math.floor(limit * LEAST_SHARE))
}

function openFilesNow(): number {
  try {
    return fs.readdirSync(OPEN_FILES).length
  } catch {
    return 0
  }
}

import fs from 'node:fs'

/** Open files for the pipes and channels of a fork, and for other work of the primary. */
const RESERVE = 64
/** Open files for each child and its successor. */
const PER_CHILD = 8

/**
 * How many of its open files the primary may use for connections. The rest is reserved for its children, however many
 * clients come. At least half may be used, because an instance that accepts no client needs no reserve.
 */
export function openFilesToSpare(children: number, limit = openFilesLimit()): number {
  return Math.max(limit - RESERVE - children * PER_CHILD, Math.floor(limit / 2))
}

/** The soft limit of this process (proc(5)), which Node has raised to the hard one; infinite where it is unknown. */
export function openFilesLimit(): number {
  try {
    const soft = /^Max open files +(\d+)/m.exec(fs.readFileSync('/proc/self/limits', 'utf8'))?.[1]
    return soft === undefined ? Infinity : Number(soft)
  } catch {
    return Infinity
  }
}

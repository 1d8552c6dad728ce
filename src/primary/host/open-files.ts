import fs from 'node:fs'

/** Pipes and channels that are made for a fork, and what else the primary opens now and then. */
const RESERVE = 64
/** As many a child as long as it lives, with its successor beside it. */
const PER_CHILD = 8

/**
 * How many of its open files the primary can do without: the rest is for its children, however many clients come. No
 * less than half of them: the reserve is of no use to anybody where nobody is let in.
 */
export function openFilesToSpare(children: number, limit = openFilesLimit()): number {
  return Math.max(limit - RESERVE - children * PER_CHILD, Math.floor(limit / 2))
}

/** The soft limit of this process (proc(5)), which Node has raised to the hard one; infinite where nobody tells. */
export function openFilesLimit(): number {
  try {
    const soft = /^Max open files +(\d+)/m.exec(fs.readFileSync('/proc/self/limits', 'utf8'))?.[1]
    return soft === undefined ? Infinity : Number(soft)
  } catch {
    return Infinity
  }
}

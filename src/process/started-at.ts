import { readFileSync } from 'node:fs'

/** The 22nd field, counted from behind the name, which may have spaces and brackets in it. */
const STARTED_AT = 22 - 3

/**
 * When a process was started, in clock ticks since the machine was: with its pid it names a process for good, as pids are
 * given again. Undefined when there is none, or where there is no /proc.
 */
export function startedAt(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[STARTED_AT]
  } catch {
    return undefined
  }
}

import { readFileSync } from 'node:fs'

/**
 * The fields of /proc/PID/stat from the third on, which is the state: the name, the second one, may have spaces and
 * brackets in it. Undefined when there is no such process, or no /proc.
 */
export function statOf(pid: number | string): string[] | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  } catch {
    return undefined
  }
}

/** The 22nd field of all. */
const STARTED_AT = 22 - 3

/**
 * When a process was started, in clock ticks since the start of the machine. Pids are used again, but a pid together with
 * this names one process for good.
 */
export function startedAt(pid: number): string | undefined {
  return statOf(pid)?.[STARTED_AT]
}

import { readFileSync } from 'node:fs'

/** The 22nd field. The name, the second one, may have spaces and brackets in it, so the count begins behind it. */
const STARTED_AT = 22 - 3

/**
 * When a process was started, in clock ticks since the start of the machine. Pids are used again, but a pid together with
 * this names one process for good. Undefined when there is no such process, or no /proc.
 */
export function startedAt(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[STARTED_AT]
  } catch {
    return undefined
  }
}

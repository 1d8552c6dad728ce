import { readdirSync, readFileSync } from 'node:fs'

/** The ids of all processes; none where there is no /proc. */
export function allPids(): number[] {
  try {
    return readdirSync('/proc')
      .filter(name => /^\d+$/.test(name))
      .map(Number)
  } catch {
    return []
  }
}

/**
 * The fields of /proc/PID/stat from the third on, which is the state: the name, the second one, may have spaces and
 * brackets in it. Undefined when there is no such process, or no /proc.
 */
export function statOf(pid: number): string[] | undefined {
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

/** Sends a signal to a process, or to a group by the negative id of its leader. Does nothing if that has exited. */
export function kill(pid: number, signal: NodeJS.Signals = 'SIGKILL'): void {
  try {
    process.kill(pid, signal)
  } catch {
    // The process has just exited, or belongs to another user.
  }
}

import { readFileSync } from 'node:fs'
import { allPids, kill } from '../../process/process-table.js'

/** A variable that processes pass on to what they start, even if that leaves their group and their session. */
const NAME = 'OF_OUTPOST_COMMAND'

/** A process may start others just before it is killed. */
const MAX_PASSES = 10

/** The environment that marks a command. @param mark nobody else's */
export function markedBy(mark: string): Record<string, string> {
  return { [NAME]: mark }
}

/** Kills all processes that have this mark, on Linux. */
export function killMarked(mark: string): void {
  for (let pass = 0; pass < MAX_PASSES; pass++) {
    const pids = holdersOf(`${NAME}=${mark}`)
    if (pids.length === 0) return
    for (const pid of pids) kill(pid)
  }
}

function holdersOf(variable: string): number[] {
  return allPids().filter(pid => environmentOf(pid).split('\0').includes(variable))
}

/** Empty if the process is of another user, or has ended. */
function environmentOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/environ`, 'latin1')
  } catch {
    return ''
  }
}

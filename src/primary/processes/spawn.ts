import { ChildProcess } from 'node:child_process'
import { kill } from '../../process/process-table.js'

/** Starts a process. Node throws some errors, such as a lack of memory. Here every failure is an `error` event. */
export function spawned(start: () => ChildProcess): ChildProcess {
  try {
    return start()
  } catch (error) {
    const stillborn = new ChildProcess()
    process.nextTick(() => stillborn.emit('error', error))
    return stillborn
  }
}

/** Both are undefined for a process that could not be started. */
export interface ProcessEnd {
  readonly code?: number | undefined
  /** The signal that ended it. */
  readonly signal?: NodeJS.Signals | undefined
}

/**
 * Reports once how a process ended: its exit code, the name of a signal, or the reason why it could not be started. A
 * process that could not be started has no pid and no `exit` event.
 * @param told gets it in words, and as facts
 */
export function onceEnded(child: ChildProcess, told: (ending: string, end: ProcessEnd) => void): void {
  child.once('exit', (code, signal) => {
    told(signal ?? `exit code ${String(code)}`, { code: code ?? undefined, signal: signal ?? undefined })
  })
  child.on('error', (error: NodeJS.ErrnoException) => {
    // With a pid, the error is of a message to a process that has just exited.
    if (child.pid === undefined) told(`could not be started: ${error.code ?? error.message}`, {})
  })
}

/** Kills all processes of the group that this process leads. */
export function killGroup(child: ChildProcess): void {
  signalGroup(child, 'SIGKILL')
}

/** Sends a signal to all processes of the group that this process leads. */
export function signalGroup({ pid }: ChildProcess, signal: NodeJS.Signals): void {
  if (pid !== undefined) kill(-pid, signal)
}

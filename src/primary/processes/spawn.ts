import { ChildProcess } from 'node:child_process'

/** Starts a process. Some reasons why it cannot be Node throws, as when there is no memory: here all are told alike. */
export function spawned(start: () => ChildProcess): ChildProcess {
  try {
    return start()
  } catch (error) {
    const stillborn = new ChildProcess()
    process.nextTick(() => stillborn.emit('error', error))
    return stillborn
  }
}

/**
 * Tells once how a process ended: its exit code, the name of a signal, or why it could not be started, in which case
 * it has no pid and nobody tells of an exit.
 */
export function onceEnded(child: ChildProcess, told: (ending: string) => void): void {
  child.once('exit', (code, signal) => told(signal ?? `exit code ${String(code)}`))
  child.on('error', (error: NodeJS.ErrnoException) => {
    // With a pid it is a message to a process that has just gone.
    if (child.pid === undefined) told(`it cannot be forked: ${error.code ?? error.message}`)
  })
}

/** Kills a process that leads a group, and all that are in it. */
export function killGroup({ pid }: ChildProcess): void {
  try {
    if (pid !== undefined) process.kill(-pid, 'SIGKILL')
  } catch {
    // All of the group have gone.
  }
}

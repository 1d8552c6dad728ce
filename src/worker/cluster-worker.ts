import type { Worker } from 'node:cluster'
import { exit, exitCodes } from '../process/exit.js'
import type { OwnEvents } from './own-events.js'

/**
 * An app with cluster code of its own runs as a worker, and may end itself by these methods, for example after an error.
 * Node would close the channel to the primary, which is not the app's. Here the worker is replaced, as after SIGTERM.
 */
export function replaceInPlaceOfEnd(worker: Worker, events: OwnEvents): void {
  const disconnect = (): Worker => {
    if (!events.haveToldApp) events.askForReplacement()
    return worker
  }
  const kill = (): void => {
    if (events.haveToldApp) exit(exitCodes.ok)
    disconnect()
  }
  Object.assign(worker, { disconnect, kill, destroy: kill })
}

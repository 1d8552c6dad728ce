import { dirname, join } from 'node:path'

/** Beside the sockets of the workers: copies of answers that the balancing processes share. */
export const KEPT_FOLDER = 'kept'

/** @param socketPath of any worker */
export function keptFolderBeside(socketPath: string): string {
  return join(dirname(socketPath), KEPT_FOLDER)
}

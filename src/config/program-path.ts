import { accessSync, constants, statSync } from 'node:fs'
import { join } from 'node:path'

/** Where a shell looks if PATH is not set. */
const USUAL = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

/**
 * The file that runs as the command of this name; undefined if there is none. Starting the command, or a shell to look for
 * it, would take the primary several milliseconds of each start.
 */
export function programPath(
  name: string,
  { PATH = USUAL }: { PATH?: string | undefined } = process.env,
): string | undefined {
  return PATH.split(':')
    .map(folder => join(folder, name))
    .find(isProgram)
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return statSync(path).isFile()
  } catch {
    return false
  }
}

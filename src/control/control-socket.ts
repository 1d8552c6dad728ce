import { readlinkSync } from 'node:fs'
import { join } from 'node:path'

/** The path of the control socket of a DATA_DIR. Where that is too long for sockets, `run` is a link to a short folder. */
export function controlSocketIn(dataDir: string): string {
  const run = join(dataDir, 'run')
  try {
    return join(readlinkSync(run), 'control.sock')
  } catch {
    return join(run, 'control.sock')
  }
}

import fs from 'node:fs'
import { join } from 'node:path'

/**
 * The pid of the primary that holds the lock of a DATA_DIR, by what it has written there. For messages: only the lock
 * itself is certain, and trying it could stop another start.
 */
export function lockHolderIn(dataDir: string): number | undefined {
  try {
    const pid = Number(fs.readFileSync(join(dataDir, 'lock'), 'utf8'))
    // A file that is empty, or of another program, names nobody.
    if (!Number.isInteger(pid) || pid <= 0) return undefined
    return fs.readFileSync(`/proc/${pid}/cmdline`, 'utf8').startsWith('outpost primary') ? pid : undefined
  } catch {
    return undefined
  }
}

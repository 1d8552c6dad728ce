import fs from 'node:fs'
import { dirname } from 'node:path'

/**
 * Replaces a file in one step, and so that a crash of the machine leaves the old or the new one. Only this user may
 * read it.
 */
export function writeSynced(path: string, text: string): void {
  const draft = `${path}.new`
  // One that a crash has left may be open to others.
  fs.rmSync(draft, { force: true })
  const file = fs.openSync(draft, 'wx', 0o600)
  try {
    fs.writeFileSync(file, `${text}\n`)
    fs.fsyncSync(file)
  } finally {
    fs.closeSync(file)
  }
  fs.renameSync(draft, path)
  syncFolder(dirname(path))
}

/** Makes renamed and removed files of a folder survive a crash. */
export function syncFolder(folder: string): void {
  const file = fs.openSync(folder, 'r')
  try {
    fs.fsyncSync(file)
  } finally {
    fs.closeSync(file)
  }
}

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
  } catch (error) {
    fs.rmSync(draft, { force: true })
    throw error
  } finally {
    fs.closeSync(file)
  }
  fs.renameSync(draft, path)
  syncFolder(dirname(path))
}

/**
 * Writes over what is there, which takes no more of the disk as long as the text is no longer than the file. A crash of
 * the machine may leave a mixture of both.
 */
export function overwriteSynced(path: string, text: string): void {
  const file = fs.openSync(path, 'r+')
  try {
    const bytes = Buffer.from(`${text}\n`.padEnd(fs.fstatSync(file).size))
    if (fs.writeSync(file, bytes, 0, bytes.length, 0) !== bytes.length)
      throw new Error(`${path} was written only in part`)
    fs.fsyncSync(file)
  } finally {
    fs.closeSync(file)
  }
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

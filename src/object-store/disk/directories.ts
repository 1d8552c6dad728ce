import { mkdir, open, rename } from 'node:fs/promises'
import { dirname } from 'node:path'
import { systemCode } from '../errors.js'

/** A new name, or the absence of an old one, survives a power cut only once its directory has been synced. */
export async function syncDirectory(path: string): Promise<void> {
  const handle = await open(path, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

/** Makes one directory, durably; one that is already there is fine. */
export async function makeDirectory(path: string): Promise<void> {
  try {
    await mkdir(path, { mode: 0o700 })
  } catch (error) {
    if (systemCode(error) === 'EEXIST') return
    throw error
  }
  await syncDirectory(dirname(path))
}

/** Moves a file or directory to its final name, durably, in place of what had that name. */
export async function moveInto(from: string, to: string): Promise<void> {
  await rename(from, to)
  await syncDirectory(dirname(to))
}

/** Makes a small file that is on the disk when this returns; its name is not, before the directory is synced. */
export async function writeSynced(path: string, bytes: Buffer): Promise<void> {
  const handle = await open(path, 'wx', 0o600)
  try {
    await handle.writeFile(bytes)
    await handle.sync()
  } finally {
    await handle.close()
  }
}

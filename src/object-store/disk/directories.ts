import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, open, rename } from 'node:fs/promises'
import { dirname } from 'node:path'
import { systemCode } from '../errors.js'

/** A new name, or a removed one, survives a power cut only once its directory has been synced. */
export async function syncDirectory(path: string): Promise<void> {
  const handle = await open(path, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

/** Makes one directory, durably, unless it exists. */
export async function makeDirectory(path: string): Promise<void> {
  try {
    await mkdir(path, { mode: 0o700 })
  } catch (error) {
    if (systemCode(error) === 'EEXIST') return
    throw error
  }
  await syncDirectory(dirname(path))
}

/** Moves a file or directory to its final name, durably, and replaces an existing one. */
export async function moveInto(from: string, to: string): Promise<void> {
  await rename(from, to)
  await syncDirectory(dirname(to))
}

/** Makes a small file, whose content is on the disk when this returns. Its name is durable after a directory sync. */
export async function writeDurably(path: string, bytes: Buffer): Promise<void> {
  const handle = await open(path, 'wx', 0o600)
  try {
    await handle.writeFile(bytes)
    await handle.sync()
  } finally {
    await handle.close()
  }
}

/**
 * Claims a directory for this process: a second store would remove the temporary files of the first and not see its
 * writes. The claim is a lock of the kernel on the opened directory (flock(2)). It ends with the process, so there is no
 * stale one, and only a user who may read the directory can hold it. Node has no call for it: the command `flock` (util-linux)
 * locks what it is handed. Elsewhere than on Linux no claim is made.
 * @returns a function that frees the directory
 */
export async function claimDirectory(directory: string): Promise<() => Promise<void>> {
  if (process.platform !== 'linux') return () => Promise.resolve()
  const handle = await open(directory, 'r')
  try {
    const locking = spawn('flock', ['--nonblock', '3'], { stdio: ['ignore', 'ignore', 'ignore', handle.fd] })
    const [code] = (await once(locking, 'exit')) as [number | null]
    if (code !== 0) throw new Error(`another object store is running on ${directory}`)
  } catch (error) {
    await handle.close()
    throw error
  }
  return () => handle.close()
}

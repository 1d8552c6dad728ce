import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { mkdir, open, realpath, rename } from 'node:fs/promises'
import { createServer } from 'node:net'
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
 * writes. The claim is a name in Linux's abstract socket space. The kernel frees it however the process ends, so there
 * is no stale lock. Elsewhere there is no such space, and no claim is made.
 * @returns a function that frees the directory
 */
export async function claimDirectory(directory: string): Promise<() => Promise<void>> {
  if (process.platform !== 'linux') return () => Promise.resolve()
  const digest = createHash('sha256')
    .update(await realpath(directory))
    .digest('hex')
  const server = createServer(socket => void socket.destroy()).unref()
  try {
    server.listen(`\0outpost-object-store-${digest.slice(0, 32)}`)
    await once(server, 'listening')
  } catch (cause) {
    if (systemCode(cause) !== 'EADDRINUSE') throw cause
    throw new Error(`another object store is running on ${directory}`, { cause })
  }
  server.on('error', () => undefined)
  return async () => {
    server.close()
    await once(server, 'close')
  }
}

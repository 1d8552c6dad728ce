import { spawn } from 'node:child_process'
import { opendir, open } from 'node:fs/promises'
import { join } from 'node:path'

interface SyncOptions {
  /** A disk that is busy with other work for longer is not waited for. */
  withinMs?: number
  /** Syncs the file system of the path that is its last argument. */
  command?: readonly [file: string, ...words: string[]]
}

/** One call for all files, which Node lacks: thousands of calls cost ten times as much. */
const SYNC = ['sync', '-f'] as const

const WITHIN_MS = 30_000

/**
 * Writes all that is in a folder to the disk, so that it survives a power cut.
 * @returns why that is not certain, for people; undefined if it is
 */
export async function syncTree(
  folder: string,
  { withinMs = WITHIN_MS, command = SYNC }: SyncOptions = {},
): Promise<string | undefined> {
  const late = new AbortController()
  const timer = setTimeout(() => late.abort(), withinMs)
  const given = new Promise<string>(resolve => {
    late.signal.addEventListener('abort', () => resolve(`the disk has not taken it within ${withinMs / 1_000} s`))
  })
  try {
    return await Promise.race([synced(folder, command, late.signal), given])
  } finally {
    clearTimeout(timer)
  }
}

async function synced(folder: string, command: readonly string[], late: AbortSignal): Promise<string | undefined> {
  if (await succeeds([...command, folder])) return undefined
  try {
    // Not every machine has that command, nor has every one of its versions that option.
    await syncEach(folder, late)
    return undefined
  } catch (error) {
    return (error as Error).message
  }
}

/** A process that hangs in the kernel ends when the disk answers. */
function succeeds([file = '', ...words]: readonly string[]): Promise<boolean> {
  return new Promise(resolve => {
    const child = spawn(file, words, { stdio: 'ignore' })
    child.once('error', () => resolve(false)).once('exit', code => resolve(code === 0))
    child.unref()
  })
}

/** The files of a folder, then the folder, which has their names. */
async function syncEach(folder: string, late: AbortSignal): Promise<void> {
  for await (const entry of await opendir(folder)) {
    if (late.aborted) return
    const path = join(folder, entry.name)
    if (entry.isDirectory()) await syncEach(path, late)
    else if (entry.isFile()) await syncOne(path)
  }
  await syncOne(folder)
}

async function syncOne(path: string): Promise<void> {
  const file = await open(path, 'r')
  try {
    await file.sync()
  } finally {
    await file.close()
  }
}

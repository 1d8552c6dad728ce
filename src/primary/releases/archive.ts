import { once } from 'node:events'
import fs from 'node:fs'
import { mkdir, open, realpath, symlink, unlink } from 'node:fs/promises'
import { dirname, join, sep } from 'node:path'
import type { Readable } from 'node:stream'
import type { ReadEntry } from 'tar'

/** The bounds of an archive. */
export interface ArchiveLimits {
  /** Bytes of all files together, unpacked. */
  maxBytes: number
  maxEntries: number
  /** Folders at its top that are left out, with what is below them: `tar c .` packs what an instance writes there. */
  leftOut?: readonly string[]
}

/** The archive is not one that may be unpacked, or none at all. */
export class ArchiveError extends Error {}

export interface Unpacked {
  files: number
  bytes: number
}

/**
 * Unpacks a tar stream, compressed by gzip or not, into an empty folder. Nothing is written outside of it, and no link
 * leads out of it. What is there after an error is for the caller to remove.
 * @param signal ends it, for the reason that it gives
 * @throws {ArchiveError} a name or a link that leads out, a device, or more than the limits
 */
export async function unpack(
  archive: Readable,
  folder: string,
  limits: ArchiveLimits,
  signal?: AbortSignal,
): Promise<Unpacked> {
  const target = new ReleaseTree(folder, limits)
  // An error before it is read would have no listener; the loop below meets it once more.
  archive.on('error', () => undefined)
  // Not needed by an instance that is never deployed to.
  const { Parser } = await import('tar')
  // Each entry is written before the next one is read, so an archive takes as much memory as its largest chunk.
  const parser = new Parser({ maxMetaEntrySize: MAX_META_BYTES })
  let failed: Error | undefined
  let work = Promise.resolve()
  let reading: ReadEntry | undefined
  let hasFailed: () => void = () => undefined
  // The parser emits no further event when it has given up.
  const failure = new Promise<void>(resolve => (hasFailed = resolve))
  const fail = (error: Error): void => {
    failed ??= error
    // A file that is being written would wait for the rest of it.
    reading?.destroy(failed)
    hasFailed()
  }
  parser.on('warn', (code: string, message: string | Error) => {
    if (code !== 'TAR_ENTRY_INFO') fail(new ArchiveError(`it is no whole tar archive: ${String(message)}`))
  })
  parser.on('error', (error: Error) => fail(new ArchiveError(`it is no tar archive: ${error.message}`)))
  parser.on('ignoredEntry', (entry: ReadEntry) => {
    if (!target.leavesOut(entry)) fail(new ArchiveError(unknownType(entry)))
  })
  parser.on('entry', (entry: ReadEntry) => {
    entry.on('error', () => undefined)
    work = work.then(async () => {
      if (failed !== undefined) {
        entry.resume()
        return
      }
      reading = entry
      await target.add(entry).catch(fail)
      reading = undefined
      entry.resume()
    })
  })
  const abort = (): void => fail(signal?.reason as Error)
  signal?.addEventListener('abort', abort)
  // Perhaps since before: loading the parser takes a while.
  if (signal?.aborted === true) abort()
  const parsed = new Promise<void>(resolve => parser.on('end', resolve))
  try {
    for await (const chunk of archive as AsyncIterable<Buffer>) {
      if (failed !== undefined) break
      if (!parser.write(chunk)) await Promise.race([once(parser, 'drain'), failure])
    }
  } catch (error) {
    fail(new ArchiveError(`it did not arrive whole: ${(error as Error).message}`, { cause: error }))
  }
  if (failed === undefined) {
    parser.end()
    await Promise.race([parsed, failure])
  } else parser.abort(failed)
  await work
  signal?.removeEventListener('abort', abort)
  if (failed !== undefined) throw failed
  await target.finish()
  return target.unpacked
}

const MAX_META_BYTES = 1024 * 1024
const MAX_NAME_BYTES = 4_000

/** The folder as it grows. Every folder in it was made here, so no path leads through a link. */
class ReleaseTree {
  readonly unpacked: Unpacked = { files: 0, bytes: 0 }
  #entries = 0
  readonly #folders = new Set<string>([''])
  readonly #files = new Set<string>()
  /** Made at the end, when nothing is written any more. */
  readonly #links = new Map<string, string>()

  constructor(
    private readonly folder: string,
    private readonly limits: ArchiveLimits,
  ) {}

  leavesOut({ path }: ReadEntry): boolean {
    const name = path.replace(/^(\.\/)+/, '').replace(/\/+$/, '')
    // A path with `..` in it may lead anywhere.
    if (name.split('/').includes('..')) return false
    return this.limits.leftOut?.some(folder => name === folder || name.startsWith(`${folder}/`)) === true
  }

  /** @throws {ArchiveError} */
  async add(entry: ReadEntry): Promise<void> {
    if (this.leavesOut(entry)) return
    this.#entries += 1
    if (this.#entries > this.limits.maxEntries)
      throw new ArchiveError(`it has more than ${this.limits.maxEntries} entries`)
    const name = nameOf(entry.path)
    switch (entry.type) {
      case 'Directory':
      case 'GNUDumpDir':
        return this.#makeFolder(name)
      case 'File':
      case 'OldFile':
      case 'ContiguousFile':
        return this.#write(name, entry)
      case 'SymbolicLink':
        await this.#makeFolder(parentOf(name))
        this.#claim(name)
        this.#links.set(name, entry.linkpath ?? '')
        return
      case 'Link':
        return this.#copyLink(name, nameOf(entry.linkpath ?? ''))
      default:
        throw new ArchiveError(unknownType(entry))
    }
  }

  /** Makes the links, and looks where they lead. */
  async finish(): Promise<void> {
    for (const [name, to] of this.#links) {
      if (to === '' || to.includes('\0') || to.startsWith('/')) throw leadsOut(name, to)
      await symlink(to, join(this.folder, name))
    }
    const root = await realpath(this.folder)
    for (const [name, to] of this.#links) {
      const real = await realpath(join(this.folder, name)).catch(() => undefined)
      if (real === undefined) throw new ArchiveError(`the link ${shown(name)} leads nowhere: ${shown(to)}`)
      if (real !== root && !real.startsWith(root + sep)) throw leadsOut(name, to)
    }
  }

  async #write(name: string, entry: ReadEntry): Promise<void> {
    await this.#makeFolder(parentOf(name))
    await this.#replace(name)
    const executable = ((entry.mode ?? 0) & 0o100) !== 0
    const flags = fs.constants.O_WRONLY | fs.constants.O_CREAT | fs.constants.O_EXCL | fs.constants.O_NOFOLLOW
    const file = await open(join(this.folder, name), flags, executable ? 0o755 : 0o644)
    try {
      this.#files.add(name)
      this.unpacked.files += 1
      for await (const chunk of entry as AsyncIterable<Buffer>) {
        this.#count(chunk.length)
        await file.writeFile(chunk)
      }
    } finally {
      await file.close()
    }
  }

  /** A second name of a file becomes a file of its own: the release owns all that it holds. */
  async #copyLink(name: string, from: string): Promise<void> {
    if (!this.#files.has(from)) throw new ArchiveError(`the link ${shown(name)} is to no file of the archive`)
    await this.#makeFolder(parentOf(name))
    await this.#replace(name)
    const { size } = await fs.promises.stat(join(this.folder, from))
    this.#count(size)
    await fs.promises.copyFile(join(this.folder, from), join(this.folder, name), fs.constants.COPYFILE_EXCL)
    this.#files.add(name)
    this.unpacked.files += 1
  }

  async #makeFolder(name: string): Promise<void> {
    if (this.#folders.has(name)) return
    await this.#makeFolder(parentOf(name))
    // A path of one entry may name a thousand folders.
    if (this.#folders.size > this.limits.maxEntries)
      throw new ArchiveError(`it has more than ${this.limits.maxEntries} folders`)
    this.#claim(name)
    await mkdir(join(this.folder, name), { mode: 0o755 })
    this.#folders.add(name)
  }

  /** In an archive that was appended to, the last file of a name counts. */
  async #replace(name: string): Promise<void> {
    if (!this.#files.has(name)) return this.#claim(name)
    this.#files.delete(name)
    this.unpacked.files -= 1
    await unlink(join(this.folder, name))
  }

  #claim(name: string): void {
    if (name === '' || this.#folders.has(name) || this.#files.has(name) || this.#links.has(name)) {
      throw new ArchiveError(`${shown(name)} is in it twice`)
    }
  }

  #count(bytes: number): void {
    this.unpacked.bytes += bytes
    if (this.unpacked.bytes > this.limits.maxBytes) {
      throw new ArchiveError(`it is larger than ${Math.round(this.limits.maxBytes / 1024 ** 2)} MiB unpacked`)
    }
  }
}

/** The path below the folder, without a leading `./`; the folder itself is ''. */
function nameOf(path: string): string {
  if (path.includes('\0') || path.startsWith('/') || Buffer.byteLength(path) > MAX_NAME_BYTES) throw leadsOutName(path)
  const parts = path.split('/').filter(part => part !== '' && part !== '.')
  if (parts.includes('..')) throw leadsOutName(path)
  return parts.join('/')
}

function parentOf(name: string): string {
  const parent = dirname(name)
  return parent === '.' ? '' : parent
}

function leadsOutName(path: string): ArchiveError {
  return new ArchiveError(`the name ${shown(path)} leads out of it`)
}

function leadsOut(name: string, to: string): ArchiveError {
  return new ArchiveError(`the link ${shown(name)} leads out of it: ${shown(to)}`)
}

function unknownType({ type, path }: ReadEntry): string {
  return `${shown(path)} is a ${type}; an app has files, folders and links`
}

function shown(text: string): string {
  return JSON.stringify(text.slice(0, 200))
}

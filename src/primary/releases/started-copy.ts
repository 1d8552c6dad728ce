import { constants, type Dirent } from 'node:fs'
import * as disk from 'node:fs/promises'
import { dirname, join, relative, resolve } from 'node:path'
import { realPath } from '../../process/real-path.js'

/** The largest app, without its packages, that is kept as it was started. */
export interface CopyLimits {
  maxEntries: number
  maxBytes: number
}

/** A small file costs up to a millisecond of CPU time, and each start before the first deploy pays it. */
const LIMITS: CopyLimits = { maxEntries: 20_000, maxBytes: 256 * 1024 ** 2 }

/** The calls to the file system that a copy makes. */
export type Disk = Pick<typeof disk, 'copyFile' | 'lstat' | 'mkdir' | 'opendir' | 'readlink' | 'rm' | 'symlink'>

export interface CopyOptions {
  limits?: CopyLimits
  /** Ends the copy, even while a call to the file system hangs. */
  signal: AbortSignal
  disk?: Disk
}

/** Never part of an app. */
const NEVER = new Set(['.git', '.outpost'])
const PACKAGES = 'node_modules'

/** The app cannot be kept. */
export class CopyError extends Error {}

/**
 * Copies an app as it is now, so that it can be run when its folder has changed. Packages are not copied: each
 * `node_modules` of the copy is a link to the one of the app, as is the one that the app finds in a folder above its own.
 * Nothing is left of a copy that fails, as soon as the file system answers.
 * @param app its folder
 * @param written the folder that the instance writes to, which may be in it
 * @throws {CopyError} it is too large
 * @throws the reason of the signal
 */
export function copyApp(app: string, to: string, written: string, options: CopyOptions): Promise<void> {
  const { signal, disk: calls = disk } = options
  const copied = new AppCopy(app, to, written, options).make()
  const cleared = copied.catch(async (error: unknown) => {
    await calls.rm(to, { recursive: true, force: true }).catch(() => undefined)
    throw error
  })
  return unlessAborted(cleared, signal)
}

/** One copy as it grows. */
class AppCopy {
  readonly #from: string
  readonly #leftOut: string
  readonly #limits: CopyLimits
  readonly #signal: AbortSignal
  readonly #disk: Disk
  #entries = 0
  #bytes = 0

  constructor(
    app: string,
    private readonly to: string,
    written: string,
    { limits = LIMITS, signal, disk: calls = disk }: CopyOptions,
  ) {
    // The folder that is written to may be named by another link, and the copy is in it.
    this.#from = realPath(app)
    this.#leftOut = realPath(written)
    this.#limits = limits
    this.#signal = signal
    this.#disk = calls
  }

  async make(): Promise<void> {
    await this.#disk.rm(this.to, { recursive: true, force: true })
    this.#signal.throwIfAborted()
    await this.#disk.mkdir(this.to, { recursive: true, mode: 0o700 })
    await this.#visit('')
    await this.#linkPackagesAbove()
    // Its caller has given it up meanwhile, so it is to be removed.
    this.#signal.throwIfAborted()
  }

  async #visit(at: string): Promise<void> {
    const folder = await this.#disk.opendir(join(this.#from, at)).catch(noneIfLeftOut)
    if (folder === undefined) return
    // Read bit by bit: a folder may have millions of entries.
    for await (const entry of folder) {
      this.#signal.throwIfAborted()
      const path = join(at, entry.name)
      if (NEVER.has(entry.name) || join(this.#from, path) === this.#leftOut) continue
      await this.#add(path, entry)
    }
  }

  async #add(path: string, entry: Dirent): Promise<void> {
    const source = join(this.#from, path)
    const copy = join(this.to, path)
    this.#entries += 1
    const { maxEntries, maxBytes } = this.#limits
    if (this.#entries > maxEntries) throw new CopyError(`it has more than ${maxEntries} files beside its packages`)
    if (entry.name === PACKAGES) await this.#disk.symlink(source, copy)
    else if (entry.isDirectory()) {
      await this.#disk.mkdir(copy)
      await this.#visit(path)
    } else if (entry.isSymbolicLink()) await this.#copyLink(source, copy).catch(noneIfLeftOut)
    else if (entry.isFile()) {
      const found = await this.#disk.lstat(source).catch(noneIfLeftOut)
      this.#bytes += found?.size ?? 0
      if (this.#bytes > maxBytes) throw new CopyError(`it has more than ${maxBytes >> 20} MiB beside its packages`)
      await this.#disk.copyFile(source, copy, constants.COPYFILE_FICLONE).catch(noneIfLeftOut)
    }
  }

  /** A link within the app leads to the copy; one that leads out, or begins at the root, leads where it did. */
  async #copyLink(link: string, copy: string): Promise<void> {
    const target = await this.#disk.readlink(link)
    const led = resolve(dirname(link), target)
    await this.#disk.symlink(relative(this.#from, led).startsWith('..') ? led : target, copy)
  }

  /** Node looks for packages in the folders above, too, and the copy is elsewhere. */
  async #linkPackagesAbove(): Promise<void> {
    for (let folder = this.#from; ; folder = dirname(folder)) {
      const packages = join(folder, PACKAGES)
      const isThere = await this.#disk.lstat(packages).then(
        () => true,
        () => false,
      )
      if (isThere) {
        if (folder !== this.#from) await this.#disk.symlink(packages, join(this.to, PACKAGES))
        return
      }
      if (folder === dirname(folder)) return
    }
  }
}

/** The app cannot need a file that this user cannot read, nor one that it removes while it is copied. */
function noneIfLeftOut(error: NodeJS.ErrnoException): undefined {
  if (error.code !== 'EACCES' && error.code !== 'ENOENT') throw error
}

/** The outcome of the work, or the reason of the signal if that comes first. */
function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = (): void => reject(signal.reason as Error)
    signal.addEventListener('abort', abort, { once: true })
    if (signal.aborted) abort()
    void work.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort))
  })
}

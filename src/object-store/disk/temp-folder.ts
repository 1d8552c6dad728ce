import { createHash, randomUUID } from 'node:crypto'
import { mkdir, open, rename, rm, type FileHandle } from 'node:fs/promises'
import { join } from 'node:path'
import { BlockHasher, type BlockChecksums } from './block-checksums.js'
import { moveInto, syncDirectory } from './directories.js'
import { CHECKED_EVERY_BYTES, type FreeSpace } from './free-space.js'
import type { StoredChecksum } from '../request/checksums.js'
import { requireMd5, type Body } from '../request/payload.js'
import { encodeRecord } from './record-file.js'

/** The folder for incomplete files. Nothing refers to it, so a start empties it without a check. */
export class TempFolder {
  constructor(
    private readonly path: string,
    /** Checks the free space of the file system that it is on. */
    readonly space: Pick<FreeSpace, 'require'>,
  ) {}

  /** A file that cannot be removed may stay, because new files get names of their own. */
  async empty(warn: (message: string, cause: unknown) => void): Promise<void> {
    try {
      await rm(this.path, { recursive: true, force: true })
    } catch (cause) {
      warn(`leftovers could not be removed: ${this.path}`, cause)
    }
    await mkdir(this.path, { recursive: true, mode: 0o700 })
  }

  async file(): Promise<TempFile> {
    const path = join(this.path, randomUUID())
    return new TempFile(path, await open(path, 'wx', 0o600), this.space)
  }

  /** Fills a new directory, then moves it to its final name, where it is always complete. */
  async directory(target: string, fill: (path: string) => Promise<void>): Promise<void> {
    const path = join(this.path, randomUUID())
    await mkdir(path, { mode: 0o700 })
    try {
      await fill(path)
      await syncDirectory(path)
      await moveInto(path, target)
    } catch (error) {
      await rm(path, { recursive: true, force: true })
      throw error
    }
  }

  /** Removes a directory in one step. Returns a function for the slow part, the removal of its content. */
  async takeAway(directory: string, parent: string): Promise<() => Promise<void>> {
    const path = join(this.path, randomUUID())
    await rename(directory, path)
    await syncDirectory(parent)
    return () => rm(path, { recursive: true, force: true })
  }
}

/** The facts of a body that has been written. */
export interface Written {
  readonly size: number
  readonly md5: string
  readonly checksum: StoredChecksum | undefined
  readonly blocks: BlockChecksums
}

export class TempFile {
  #open = true
  /** The file has its final name. */
  moved = false

  constructor(
    private readonly path: string,
    private readonly handle: FileHandle,
    private readonly space: Pick<FreeSpace, 'require'>,
  ) {}

  /**
   * Writes a body as it arrives. The next piece is read once the system has taken this one.
   * @throws {S3Error} XMinioStorageFull when too little space is left
   */
  async write(body: Body): Promise<Written> {
    const hash = createHash('md5')
    const blocks = new BlockHasher()
    let size = 0
    let unchecked = 0
    await this.space.require()
    for await (const piece of body.chunks) {
      if (unchecked >= CHECKED_EVERY_BYTES) {
        await this.space.require()
        unchecked = 0
      }
      unchecked += piece.length
      hash.update(piece)
      blocks.update(piece)
      await this.#append(piece)
      size += piece.length
    }
    const md5 = hash.digest('hex')
    requireMd5(body, md5)
    const { algorithm, value } = body.checksum ?? {}
    const checksum = algorithm && value && { algorithm, type: 'FULL_OBJECT' as const, value: value() }
    return { size, md5, checksum, blocks: blocks.digest() }
  }

  /** Adds the record and syncs the whole file to the disk. */
  async seal(record: object): Promise<void> {
    await this.#append(encodeRecord(record))
    await this.handle.sync()
    await this.#close()
  }

  /** Gives the sealed file its final name. The caller syncs the directory after it has updated its index. */
  async moveTo(target: string): Promise<void> {
    await rename(this.path, target)
    this.moved = true
  }

  /** Never throws, as it follows another error. The next start removes what this cannot. */
  async discard(): Promise<void> {
    await this.#close().catch(() => undefined)
    await rm(this.path, { force: true }).catch(() => undefined)
  }

  async #append(bytes: Buffer): Promise<void> {
    for (let at = 0; at < bytes.length;) at += (await this.handle.write(bytes, at)).bytesWritten
  }

  async #close(): Promise<void> {
    if (!this.#open) return
    this.#open = false
    await this.handle.close()
  }
}

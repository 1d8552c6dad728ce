import { createHash, randomUUID } from 'node:crypto'
import { mkdir, open, rename, rm, type FileHandle } from 'node:fs/promises'
import { join } from 'node:path'
import { moveInto, syncDirectory } from './directories.js'
import { requireMd5, type Body } from '../request/payload.js'
import { encodeRecord } from './record-file.js'

/** Everything that is not whole yet. Nothing in here is ever referenced, so a start empties it without looking. */
export class TempFolder {
  constructor(private readonly path: string) {}

  async empty(): Promise<void> {
    await rm(this.path, { recursive: true, force: true })
    await mkdir(this.path, { mode: 0o700 })
  }

  async file(): Promise<TempFile> {
    const path = join(this.path, randomUUID())
    return new TempFile(path, await open(path, 'wx', 0o600))
  }

  /** Fills a new directory, then moves it to its final name: it is there whole or not at all. */
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

  /** Removes a directory in one step. Returns the slow rest of the work: the removal of its content. */
  async takeAway(directory: string, parent: string): Promise<() => Promise<void>> {
    const path = join(this.path, randomUUID())
    await rename(directory, path)
    await syncDirectory(parent)
    return () => rm(path, { recursive: true, force: true })
  }
}

export class TempFile {
  #open = true
  /** It has its final name. */
  moved = false

  constructor(
    private readonly path: string,
    private readonly handle: FileHandle,
  ) {}

  /** Writes a body as it comes; the next piece is asked for once this one is with the system. */
  async write(body: Body): Promise<{ size: number; md5: string }> {
    const hash = createHash('md5')
    let size = 0
    for await (const piece of body.chunks) {
      hash.update(piece)
      await this.#append(piece)
      size += piece.length
    }
    const md5 = hash.digest('hex')
    requireMd5(body, md5)
    return { size, md5 }
  }

  /** Adds the record and brings all of it to the disk. */
  async seal(record: object): Promise<void> {
    await this.#append(encodeRecord(record))
    await this.handle.sync()
    await this.#close()
  }

  /** Gives the sealed file its final name; the caller syncs that directory once its own books agree with the disk. */
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

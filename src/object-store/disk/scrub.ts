import type { Bucket } from './bucket.js'
import { DamagedError, S3Error } from '../errors.js'
import type { ObjectVersion } from './object-version.js'
import type { StoreContext } from './store-context.js'
import type { BodyRecord, StoredFile } from './stored-file.js'
import type { TempFile } from './temp-folder.js'

export interface ScrubReport {
  /** Objects that were read to their ends. */
  readonly objects: number
  /** Files that lacked checksums or the name of their bucket, and have got them. */
  readonly sealed: number
  /** `bucket/key` of each damaged object, or the path of a file whose key cannot be read. */
  readonly damaged: readonly string[]
}

/** Called for every piece that was read, with its size. It waits, so that a scrub leaves the disk to the clients. */
export type Pace = (bytes: number) => Promise<void>

/**
 * Reads all objects and compares them with their checksums. What version 0.1 stored has none: it is compared with its
 * ETag, which is an MD5, and is given checksums. Objects may be written and deleted meanwhile.
 */
export class Scrub {
  #objects = 0
  #sealed = 0
  readonly #damaged: string[] = []

  constructor(
    private readonly context: StoreContext,
    private readonly pace: Pace,
    private readonly signal: AbortSignal,
  ) {}

  async run(buckets: readonly Bucket[]): Promise<ScrubReport> {
    for (const bucket of buckets) {
      for (const path of bucket.damagedFiles()) this.#report(path)
      for (let key = bucket.index.firstKey(); key !== undefined; key = bucket.index.keyAfter(key)) {
        if (this.signal.aborted) break
        await this.#check(bucket, key)
      }
    }
    return { objects: this.#objects, sealed: this.#sealed, damaged: this.#damaged }
  }

  async #check(bucket: Bucket, key: string): Promise<void> {
    try {
      const version = await bucket.open(key)
      try {
        await this.#checkFiles(bucket, version)
      } finally {
        await version.close()
      }
      this.#objects++
    } catch (error) {
      // It has been deleted.
      if (error instanceof S3Error && error.code === 'NoSuchKey') return
      if (error instanceof DamagedError) this.#report(`${bucket.name}/${key}`, error)
      else if (!this.signal.aborted) this.context.warn(`object could not be scrubbed: ${bucket.name}/${key}`, error)
    }
  }

  async #checkFiles(bucket: Bucket, version: ObjectVersion): Promise<void> {
    const { multipart } = version.record
    const replace = (temp: TempFile): Promise<void> => bucket.reseal(version, temp)
    if (!multipart) {
      await this.#checkFile(version.file, replace, { bucket: bucket.name })
      return
    }
    for (const position of multipart.parts.keys()) {
      const file = await version.openPart(multipart, position)
      try {
        // The version is open, so its folder stays, and no one else writes the part of an object.
        await this.#checkFile(file, temp => temp.moveTo(file.path))
      } finally {
        await file.close()
      }
    }
    if (version.record.bucket !== undefined) return
    await this.#reseal(replace, temp => temp.seal({ ...version.record, bucket: bucket.name }))
  }

  async #checkFile<R extends BodyRecord>(
    file: StoredFile<R>,
    replace: (temp: TempFile) => Promise<void>,
    more: Partial<R> = {},
  ): Promise<void> {
    const { size, blocks } = file.record
    const chunks = this.#slowly(file.read({ start: 0, end: size }))
    if (blocks && Object.keys(more).every(name => name in file.record)) {
      while ((await chunks.next()).done !== true);
      return
    }
    await this.#reseal(replace, async temp => {
      const written = await temp.write({ length: size, expectedMd5: undefined, chunks })
      await temp.seal({ ...file.record, ...more, blocks: written.blocks })
    })
  }

  async #reseal(replace: (temp: TempFile) => Promise<void>, fill: (temp: TempFile) => Promise<void>): Promise<void> {
    const temp = await this.context.temp.file()
    try {
      await fill(temp)
      await replace(temp)
      if (temp.moved) this.#sealed++
    } catch (error) {
      await temp.discard()
      throw error
    }
  }

  async *#slowly(chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer, void, undefined> {
    for await (const chunk of chunks) {
      this.signal.throwIfAborted()
      await this.pace(chunk.length)
      yield chunk
    }
  }

  #report(name: string, cause?: unknown): void {
    this.#damaged.push(name)
    this.context.warn(`object is damaged: ${name}`, cause)
  }
}

import { join } from 'node:path'
import { DamagedError, isShortage } from '../errors.js'
import { asPartRecord, isPartAt, type MultipartBody, type ObjectRecord, type PartRecord } from './object-record.js'
import { partName, type PartFolders } from './part-folders.js'
import type { HalfOpenRange } from '../request/ranges.js'
import { StoredFile } from './stored-file.js'

/** One version of an object, opened. Its bytes stay the same when the object is replaced or deleted. */
export class ObjectVersion {
  #closed = false
  readonly record: ObjectRecord

  constructor(
    readonly file: StoredFile<ObjectRecord>,
    private readonly folders: PartFolders,
  ) {
    this.record = file.record
  }

  /** @throws {DamagedError} when the bytes are not those that were stored */
  async *read({ start, end }: HalfOpenRange): AsyncGenerator<Buffer, void, undefined> {
    const multipart = this.record.multipart
    if (!multipart) return yield* this.file.read({ start, end })
    let offset = 0
    for (const [position, [, size]] of multipart.parts.entries()) {
      const from = Math.max(start - offset, 0)
      const to = Math.min(end - offset, size)
      offset += size
      if (from >= to) continue
      const file = await this.openPart(multipart, position)
      try {
        yield* file.read({ start: from, end: to })
      } finally {
        await file.close()
      }
    }
  }

  /** The caller closes the file, before the version. */
  async openPart(multipart: MultipartBody, position: number): Promise<StoredFile<PartRecord>> {
    const path = join(this.folders.pathOf(multipart.uploadId), partName(multipart.parts[position]?.[0] ?? 0))
    const file = await openStored(path, asPartRecord)
    if (isPartAt(multipart, position, file.record)) return file
    await file.close()
    throw new DamagedError(`a part is not the one that was stored: ${path}`)
  }

  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    await this.file.close()
    if (this.record.multipart) await this.folders.release(this.record.multipart.uploadId)
  }
}

/** Opens a file that must be there. */
async function openStored<R extends PartRecord>(
  path: string,
  asRecord: (record: unknown) => R,
): Promise<StoredFile<R>> {
  try {
    return await StoredFile.open(path, asRecord)
  } catch (cause) {
    if (isShortage(cause)) throw cause
    throw new DamagedError(`a stored file cannot be read: ${path}`, { cause })
  }
}

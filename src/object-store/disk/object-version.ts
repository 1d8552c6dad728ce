import { join } from 'node:path'
import { DamagedError, isShortage } from '../errors.js'
import { asPartRecord, type ObjectRecord, type PartRecord, type PartSize } from './object-record.js'
import { partName, type PartFolders } from './part-folders.js'
import type { HalfOpenRange } from '../request/ranges.js'
import { StoredFile } from './stored-file.js'

/** One version of an object, opened. Its bytes stay the same when the object is replaced or deleted. */
export class ObjectVersion {
  #closed = false

  constructor(
    readonly file: StoredFile<ObjectRecord>,
    private readonly folders: PartFolders,
  ) {}

  get record(): ObjectRecord {
    return this.file.record
  }

  /** @throws {DamagedError} when the bytes are not those that were stored */
  async *read({ start, end }: HalfOpenRange): AsyncGenerator<Buffer, void, undefined> {
    const multipart = this.record.multipart
    if (!multipart) return yield* this.file.read({ start, end })
    let offset = 0
    for (const part of multipart.parts) {
      const [, size] = part
      const from = Math.max(start - offset, 0)
      const to = Math.min(end - offset, size)
      offset += size
      if (from >= to) continue
      const file = await this.openPart(multipart.uploadId, part)
      try {
        yield* file.read({ start: from, end: to })
      } finally {
        await file.close()
      }
    }
  }

  /** The caller closes the file, before the version. */
  async openPart(uploadId: string, [partNumber, size]: PartSize): Promise<StoredFile<PartRecord>> {
    const path = join(this.folders.pathOf(uploadId), partName(partNumber))
    const file = await openStored(path, asPartRecord)
    if (file.record.size === size) return file
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

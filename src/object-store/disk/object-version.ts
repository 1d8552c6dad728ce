import { open, type FileHandle } from 'node:fs/promises'
import { join } from 'node:path'
import type { ObjectRecord } from './object-record.js'
import { partName, type PartFolders } from './part-folders.js'
import type { HalfOpenRange } from '../request/ranges.js'

const READ_SIZE = 128 * 1024

/** One version of an object, opened. Its bytes stay the same when the object is replaced or deleted. */
export class ObjectVersion {
  #closed = false

  constructor(
    readonly record: ObjectRecord,
    private readonly handle: FileHandle,
    private readonly folders: PartFolders,
  ) {}

  async *read({ start, end }: HalfOpenRange): AsyncGenerator<Buffer, void, undefined> {
    const multipart = this.record.multipart
    if (!multipart) return yield* readFrom(this.handle, start, end)
    const folder = this.folders.pathOf(multipart.uploadId)
    let offset = 0
    for (const [partNumber, size] of multipart.parts) {
      const from = Math.max(start - offset, 0)
      const to = Math.min(end - offset, size)
      offset += size
      if (from >= to) continue
      const handle = await open(join(folder, partName(partNumber)), 'r')
      try {
        yield* readFrom(handle, from, to)
      } finally {
        await handle.close()
      }
    }
  }

  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    await this.handle.close()
    if (this.record.multipart) await this.folders.release(this.record.multipart.uploadId)
  }
}

async function* readFrom(handle: FileHandle, start: number, end: number): AsyncGenerator<Buffer, void, undefined> {
  for (let at = start; at < end;) {
    const buffer = Buffer.allocUnsafeSlow(Math.min(READ_SIZE, end - at))
    const { bytesRead } = await handle.read(buffer, 0, buffer.length, at)
    // Files are complete when they get their name; a short one was cut by something else than this program.
    if (bytesRead === 0) throw new Error('a stored file is shorter than its record says')
    at += bytesRead
    yield buffer.subarray(0, bytesRead)
  }
}

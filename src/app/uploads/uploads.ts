import { createHash } from 'node:crypto'
import { v4 as uuid } from 'uuid'
import { QueueFullError } from '../../resources/queued-places.js'
import { SharedPlaces } from '../../resources/shared-places.js'
import { SNIFFED_BYTES, servedType } from './file-type.js'
import { withIdleDeadline } from '../../services/idle-deadline.js'
import type { ObjectInfo } from '../../services/object-info.js'
import { SOURCE_IDLE_MS, type ByteRange, type ObjectStorage, type StoredObject } from '../../services/object-storage.js'
import { StorageUnavailableError } from '../../services/storage-errors.js'

/** A file as it arrives. */
export interface IncomingFile {
  /** The client's name for the file. It is stored as data and never used as a path. */
  name: string | undefined
  declaredType: string
  /** The least size of the file, as far as is known before it is read. */
  minBytes: number
  /** Throws when the file, or the form around it, is not whole. */
  bytes: AsyncIterable<Buffer>
}

export interface StoredUpload {
  key: string
  size: number
  /** Lower-case hex. */
  sha256: string
  contentType: string
}

/** Counts the bytes of an account: see upload-quota.ts. */
export interface Quota {
  begin(owner: string, key: string, bytes: number): Promise<{ grow(size: number): Promise<void> }>
  stored(owner: string, key: string, bytes: number): Promise<void>
  failed(owner: string, key: string): Promise<void>
  removed(owner: string, key: string): Promise<void>
}

/** All places for uploads are taken, and the queue is full or this upload has waited too long. */
export class UploadsBusyError extends Error {
  constructor() {
    super('too many uploads at once')
    this.name = 'UploadsBusyError'
  }
}

/** The number of simultaneous uploads, of which one account gets a share. Each may hold a part in memory. */
const AT_ONCE = 32
const WAITING = 224
const WAIT_MS = 5_000
/** An object that a slow storage has stored may become visible after its deadline. */
const REMOVED_AFTER_MS = [0, 10_000, 60_000]
/** Metadata must not be larger than 2 KiB in all. */
const MAX_ENCODED_NAME = 900

export const UPLOAD_PREFIX = 'uploads/'

/** Files of users, under unguessable keys. */
export class Uploads {
  readonly #places = new SharedPlaces(AT_ONCE, WAITING)

  constructor(
    private readonly storage: ObjectStorage,
    private readonly quota: Quota,
  ) {}

  /**
   * Streams a file to the storage. The object exists once this resolves. If this throws, the object does not exist, or
   * is removed soon: a slow storage may still have stored it.
   * @throws {UploadsBusyError | QuotaReachedError | StorageFullError | StorageUnavailableError | SourceIdleError}
   */
  async store(owner: string, file: IncomingFile): Promise<StoredUpload> {
    const source = withIdleDeadline(file.bytes, SOURCE_IDLE_MS)
    // Before the wait for a place: a client that sends nothing should not hold one.
    const head = await readHead(source)
    const leave = await this.#enter(owner).catch(async (error: unknown) => {
      await source.return()
      throw error
    })
    const key = uuid()
    try {
      const reservation = await this.quota.begin(owner, key, file.minBytes)
      const contentType = servedType(Buffer.concat(head), file.declaredType)
      const hash = createHash('sha256')
      const hashed = async function* (): AsyncGenerator<Buffer, void, undefined> {
        let size = 0
        for await (const chunk of rejoined(head, source)) {
          size += chunk.length
          await reservation.grow(size)
          hash.update(chunk)
          yield chunk
        }
      }
      const metadata = { owner: encodeURIComponent(owner), ...nameAsMetadata(file.name) }
      const { size } = await this.storage.putSteady(UPLOAD_PREFIX + key, hashed(), { contentType, metadata })
      await this.#count(owner, key, size)
      return { key, size, sha256: hash.digest('hex'), contentType }
    } catch (error) {
      if (error instanceof StorageUnavailableError) this.#takeAway(key)
      // Its reservation lapses by itself.
      await this.quota.failed(owner, key).catch(() => undefined)
      throw error
    } finally {
      leave()
    }
  }

  stat(key: string): Promise<ObjectInfo | undefined> {
    return this.storage.stat(UPLOAD_PREFIX + key)
  }

  open(key: string, range?: ByteRange): Promise<StoredObject | undefined> {
    return this.storage.get(UPLOAD_PREFIX + key, range)
  }

  async remove(owner: string, key: string): Promise<void> {
    await this.storage.remove(UPLOAD_PREFIX + key)
    await this.uncount(owner, key)
  }

  /** Stops counting a file that is gone. */
  uncount(owner: string, key: string): Promise<void> {
    return this.quota.removed(owner, key)
  }

  /** A file that cannot be counted is removed again. */
  async #count(owner: string, key: string, size: number): Promise<void> {
    try {
      await this.quota.stored(owner, key, size)
    } catch (error) {
      this.#takeAway(key)
      throw error
    }
  }

  #takeAway(key: string): void {
    for (const delayMs of REMOVED_AFTER_MS) {
      setTimeout(() => void this.storage.remove(UPLOAD_PREFIX + key).catch(() => undefined), delayMs).unref()
    }
  }

  /** @throws {UploadsBusyError} */
  async #enter(owner: string): Promise<() => void> {
    const patience = new AbortController()
    const overdue = setTimeout(() => patience.abort(new UploadsBusyError()), WAIT_MS)
    try {
      return await this.#places.enter(owner, patience.signal)
    } catch (error) {
      throw error instanceof QueueFullError ? new UploadsBusyError() : error
    } finally {
      clearTimeout(overdue)
    }
  }
}

export function ownerOf(info: ObjectInfo): string {
  return decodeURIComponent(info.metadata['owner'] ?? '')
}

export function nameOf(info: ObjectInfo): string | undefined {
  const { name } = info.metadata
  return name === undefined ? undefined : decodeURIComponent(name)
}

async function readHead(source: AsyncIterator<Buffer>): Promise<Buffer[]> {
  const chunks: Buffer[] = []
  for (let size = 0; size < SNIFFED_BYTES;) {
    const next = await source.next()
    if (next.done === true) break
    chunks.push(next.value)
    size += next.value.length
  }
  return chunks
}

async function* rejoined(head: Buffer[], source: AsyncIterator<Buffer>): AsyncGenerator<Buffer, void, undefined> {
  yield* head
  for (;;) {
    const next = await source.next()
    if (next.done === true) return
    yield next.value
  }
}

/** A form in UTF-16 can have half of a surrogate pair, which is not a character and cannot be encoded. */
const HALF_CHARACTER = /\p{Surrogate}/gu

/** Metadata travel as headers: printable ASCII. */
function nameAsMetadata(name = ''): { name?: string } {
  let encoded = ''
  for (const character of name.replace(HALF_CHARACTER, '\ufffd')) {
    const next = encodeURIComponent(character)
    if (encoded.length + next.length > MAX_ENCODED_NAME) break
    encoded += next
  }
  return encoded === '' ? {} : { name: encoded }
}

import type { IncomingHttpHeaders, IncomingMessage } from 'node:http'
import type { Readable } from 'node:stream'
import { buffersPassed } from '../resources/young-garbage.js'
import type { StorageAddress } from '../ipc/messages.js'
import { withIdleDeadline } from './idle-deadline.js'
import { abortMultipart, MultipartUpload, type UploadWitness } from './multipart-upload.js'
import { headersOf, infoOf, type ObjectInfo, type PutOptions } from './object-info.js'
import { PART_BYTES, StorageClient, type CallOptions } from './storage-client.js'
import { isStorageUnavailable, ObjectNotFoundError, StorageUnavailableError } from './storage-errors.js'

export interface StoredObject {
  info: ObjectInfo
  /** The whole object or the requested range. The caller reads it to its end or destroys it. */
  body: Readable
}

type ObjectSource = AsyncIterable<Buffer> | Iterable<Buffer>
type PutResult = { size: number; etag: string }

/** First and last byte, both included. */
export interface ByteRange {
  start: number
  end: number
}

/** A multipart upload that was begun and not ended. */
export interface IncompleteUpload {
  key: string
  uploadId: string
  initiated: Date
}

const PROBE: CallOptions = { silenceMs: 1_000, deadlineMs: 1_500 }
const READ: CallOptions = { silenceMs: 2_000, deadlineMs: 5_000 }
const WRITE: CallOptions = { silenceMs: 10_000, deadlineMs: 15_000 }
/** A storage that has answered this recently is not checked. */
const FRESH_MS = 1_000
/** How long a source may deliver nothing. */
export const SOURCE_IDLE_MS = 60_000
const MAX_JSON_BYTES = 1024 ** 2

/**
 * Objects in an S3-compatible storage. Every call has a deadline, every error that means "not now" is a
 * `StorageUnavailableError`, and a missing object is `undefined`.
 */
export class ObjectStorage {
  readonly #client: StorageClient
  #bucketSeen = false
  #checking: Promise<void> | undefined

  constructor(
    address: StorageAddress,
    private readonly witness: UploadWitness = { begun: () => undefined, ended: () => undefined },
  ) {
    this.#client = new StorageClient(address)
  }

  /** Loads the library, so that the first request does not wait for it. */
  warmUp(): void {
    this.#client.warmUp()
  }

  /** Throws within a second and a half unless the storage serves; makes the bucket when there is none. */
  check(): Promise<void> {
    // Checks at the same time share one answer.
    this.#checking ??= this.#check().finally(() => (this.#checking = undefined))
    return this.#checking
  }

  async #check(): Promise<void> {
    const { bucket } = this.#client
    const exists = await this.#client.call(PROBE, client => client.bucketExists(bucket))
    if (!exists) await this.#client.call(PROBE, client => client.makeBucket(bucket)).catch(ignoreExisting)
    this.#bucketSeen = true
  }

  /**
   * Stores the bytes of `source`, with one part in memory at a time: nothing is read from the source while a part is
   * being sent. The object exists once this resolves, and not before. It never exists when the source throws. When the
   * storage did not answer in time, it may exist all the same.
   * @example
   * await outpost.storage.put(`reports/${id}.pdf`, request, { contentType: 'application/pdf' })
   */
  put(key: string, source: ObjectSource, options: PutOptions = {}): Promise<PutResult> {
    return this.putSteady(key, withIdleDeadline(source, SOURCE_IDLE_MS), options)
  }

  /** The same, from a source that has an idle deadline of its own. */
  async putSteady(key: string, source: ObjectSource, options: PutOptions = {}): Promise<PutResult> {
    await this.#ready()
    const headers = headersOf(options)
    // Not filled with zeros: memory that is never written to is never taken from the system.
    const part = Buffer.allocUnsafeSlow(PART_BYTES)
    let filled = 0
    let size = 0
    let upload: MultipartUpload | undefined
    try {
      for await (const chunk of source) {
        size += chunk.length
        for (let taken = 0; taken < chunk.length;) {
          if (filled === part.length) {
            upload ??= await MultipartUpload.begin(this.#client, key, headers, this.witness)
            await upload.add(part)
            filled = 0
          }
          const copied = chunk.copy(part, filled, taken)
          filled += copied
          taken += copied
        }
        buffersPassed(chunk.length)
      }
      const rest = part.subarray(0, filled)
      if (upload === undefined) return { size, etag: await this.#putWhole(key, rest, headers) }
      return { size, ...(await upload.finish(rest)) }
    } catch (error) {
      const failure = notThereIsUnavailable(error)
      const aborted = upload?.abort()
      // Not awaited, because a storage that does not answer would not answer the abort either.
      if (!isStorageUnavailable(failure)) await aborted
      throw failure
    }
  }

  /**
   * The object's bytes as a stream, all of them or a range that lies inside it.
   * @example
   * const report = await outpost.storage.get(`reports/${id}.pdf`)
   * if (report === undefined) response.sendStatus(404)
   * else await pipeline(report.body, response)
   */
  async get(key: string, range?: ByteRange): Promise<StoredObject | undefined> {
    const { bucket } = this.#client
    const [offset, length] = range === undefined ? [0, 0] : [range.start, range.end - range.start + 1]
    return orUndefined(
      this.#client.call(READ, async (client, call) => {
        const body = await client.getPartialObject(bucket, key, offset, length)
        call.becomeStream(body)
        body.on('error', () => undefined) // the reader gets the error; it must not end the process before that
        return { info: infoOf(headersIn(body)), body }
      }),
    )
  }

  /**
   * The facts of an object, without its bytes.
   * @example
   * const size = (await outpost.storage.stat(`reports/${id}.pdf`))?.size ?? 0
   */
  async stat(key: string): Promise<ObjectInfo | undefined> {
    const found = await orUndefined(this.#client.call(READ, client => client.statObject(this.#client.bucket, key)))
    if (found === undefined) return undefined
    const { size, etag, lastModified, metaData } = found
    const { 'content-type': contentType = '', ...metadata } = metaData as Record<string, string>
    return { size, etag, lastModified, contentType, metadata }
  }

  /**
   * Resolves when the object does not exist, even if it never did.
   * @example
   * await outpost.storage.remove(`reports/${id}.pdf`)
   */
  async remove(key: string): Promise<void> {
    await orUndefined(this.#client.call(WRITE, client => client.removeObject(this.#client.bucket, key)))
  }

  /**
   * The objects whose keys begin with `prefix`, in the order of their keys, fetched in pages of `pageSize`.
   * @example
   * for await (const { key, size } of outpost.storage.list('reports/')) console.log(key, size)
   */
  async *list(
    prefix = '',
    pageSize = 1_000,
  ): AsyncGenerator<{ key: string; size: number; etag: string; lastModified: Date }> {
    const { bucket } = this.#client
    let token = ''
    do {
      const from = token
      const page = await orUndefined(
        this.#client.call(READ, client => client.listObjectsV2Query(bucket, prefix, from, '', pageSize, '')),
      )
      for (const item of page?.objects ?? []) {
        const { name: key, size, etag, lastModified } = item
        if (key !== undefined) yield { key, size, etag, lastModified }
      }
      token = page?.isTruncated === true ? page.nextContinuationToken : ''
    } while (token !== '')
  }

  /**
   * A URL that gives access to this object for a while, directly at the storage.
   * @example
   * response.redirect(await outpost.storage.presign('GET', `reports/${id}.pdf`, 300))
   */
  presign(method: 'GET' | 'PUT', key: string, seconds: number): Promise<string> {
    return this.#client.call(READ, client => client.presignedUrl(method, this.#client.bucket, key, seconds))
  }

  async putJson(key: string, value: unknown, metadata: Readonly<Record<string, string>> = {}): Promise<void> {
    await this.putSteady(key, [Buffer.from(JSON.stringify(value))], { contentType: 'application/json', metadata })
  }

  /** Reads a small object as JSON, within the deadline of one call. */
  async getJson(key: string): Promise<unknown> {
    const begun = performance.now()
    const found = await this.get(key)
    if (found === undefined) return undefined
    const left = READ.deadlineMs - (performance.now() - begun)
    const overdue = setTimeout(() => {
      found.body.destroy(new StorageUnavailableError(`the answer was not read within ${READ.deadlineMs} ms`))
    }, left)
    try {
      return await parsed(key, found.body)
    } finally {
      clearTimeout(overdue)
    }
  }

  /** Lists uploads of keys that begin with `prefix`. Filters here, because MinIO only accepts whole keys as a prefix. */
  async *incompleteUploads(prefix: string): AsyncGenerator<IncompleteUpload> {
    const { bucket } = this.#client
    let keyMarker = ''
    let idMarker = ''
    for (;;) {
      const [fromKey, fromId] = [keyMarker, idMarker]
      const page = await orUndefined(
        this.#client.call(READ, client => client.listIncompleteUploadsQuery(bucket, '', fromKey, fromId, '')),
      )
      for (const { key, uploadId, initiated } of page?.uploads ?? []) {
        if (key.startsWith(prefix)) yield { key, uploadId, initiated }
      }
      if (page?.isTruncated !== true) return
      keyMarker = page.nextKeyMarker
      idMarker = page.nextUploadIdMarker
    }
  }

  /** An upload that has ended in the meantime is not an error. */
  async removeIncompleteUpload({ key, uploadId }: Pick<IncompleteUpload, 'key' | 'uploadId'>): Promise<void> {
    await orUndefined(abortMultipart(this.#client, key, uploadId))
  }

  close(): void {
    this.#client.close()
  }

  /** Called before a body is read, so that an absent storage is noticed at once and not at the end. */
  async #ready(): Promise<void> {
    if (!this.#bucketSeen || this.#client.silentMs > FRESH_MS) await this.check()
  }

  async #putWhole(key: string, bytes: Buffer, headers: Record<string, string>): Promise<string> {
    const { bucket } = this.#client
    const { etag } = await this.#client.call(WRITE, client =>
      client.putObject(bucket, key, bytes, bytes.length, headers),
    )
    return etag
  }
}

async function parsed(key: string, body: Readable): Promise<unknown> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of body as AsyncIterable<Buffer>) {
    size += chunk.length
    if (size > MAX_JSON_BYTES) throw new Error(`${key} is too large for a record`)
    chunks.push(chunk)
  }
  return JSON.parse(Buffer.concat(chunks).toString())
}

/** The stream that the library returns is the response itself. */
function headersIn(body: Readable): IncomingHttpHeaders {
  return (body as Readable & Pick<IncomingMessage, 'headers'>).headers
}

async function orUndefined<T>(result: Promise<T>): Promise<T | undefined> {
  try {
    return await result
  } catch (error) {
    if (error instanceof ObjectNotFoundError) return undefined
    throw error
  }
}

/** Two workers may make the bucket at the same time. */
function ignoreExisting(error: unknown): void {
  const { code } = error as { code?: string }
  if (code !== 'BucketAlreadyOwnedByYou' && code !== 'BucketAlreadyExists') throw error
}

/** During a write: the bucket or the upload was removed. That is not the client's fault. */
function notThereIsUnavailable(error: unknown): unknown {
  return error instanceof ObjectNotFoundError
    ? new StorageUnavailableError('the bucket or the upload was removed', error)
    : error
}

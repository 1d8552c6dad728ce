import { createHash } from 'node:crypto'
import { readdirSync } from 'node:fs'
import { unlink } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import type { Attributes } from './attributes.js'
import {
  requireDeletable,
  requireWritable,
  type DeleteConditions,
  type WriteConditions,
} from '../request/conditions.js'
import { makeDirectory, syncDirectory } from './directories.js'
import { S3Error, systemCode } from '../errors.js'
import { KeyedMutex } from './keyed-mutex.js'
import { ObjectIndex } from './object-index.js'
import { asObjectRecord, type ObjectRecord } from './object-record.js'
import { PartFolders } from './part-folders.js'
import type { Body } from '../request/payload.js'
import { CorruptRecordError, openRecord, readRecordSync } from './record-file.js'
import type { StoreContext } from './store-context.js'
import { ObjectVersion } from './object-version.js'
import type { TempFile } from './temp-folder.js'
import { MultipartUploads } from './multipart-uploads.js'

const OPEN_ATTEMPTS = 10

/** A bucket's objects: on the disk under hashed names, and in an index that is changed only together with the disk. */
export class Bucket {
  readonly index = new ObjectIndex()
  readonly folders: PartFolders
  readonly uploads: MultipartUploads
  readonly #locks = new KeyedMutex()
  #state: 'open' | 'gone' = 'open'
  #publishing = 0

  constructor(
    readonly name: string,
    readonly createdAt: number,
    private readonly path: string,
    private readonly context: StoreContext,
  ) {
    this.folders = new PartFolders(join(path, 'uploads'))
    this.uploads = new MultipartUploads(this, this.folders, context)
  }

  /** Rebuilds the index from the records, and repairs the uploads after a crash. */
  async recover(): Promise<void> {
    const objects = join(this.path, 'objects')
    let unreadable = 0
    for (const fan of readdirSync(objects)) {
      for (const file of readdirSync(join(objects, fan))) {
        if (!this.#recoverObject(join(objects, fan, file))) unreadable++
      }
      await setImmediate()
    }
    // A folder without an object may hold the parts of an object whose record cannot be read.
    await this.uploads.recover({ removeUnreferenced: unreadable === 0 })
  }

  async put(key: string, body: Body, attributes: Attributes, conditions: WriteConditions): Promise<ObjectRecord> {
    requireWritable(this.index.get(key), conditions)
    const file = await this.context.temp.file()
    try {
      const { size, md5 } = await file.write(body)
      const record = { key, etag: md5, size, lastModified: this.context.now(), ...attributes }
      await file.seal(record)
      await this.publish(file, record, conditions)
      return record
    } catch (error) {
      await file.discard()
      throw error
    }
  }

  /** An object exists from the rename in here. Of several simultaneous writes, the last one stays. */
  async publish(file: TempFile, record: ObjectRecord, conditions: WriteConditions): Promise<void> {
    this.requireOpen()
    this.#publishing++
    try {
      await this.#locks.run(record.key, async () => {
        const previous = this.index.get(record.key)
        requireWritable(previous, conditions)
        const target = this.#pathOf(record.key)
        await makeDirectory(dirname(target))
        await file.moveTo(target)
        this.#enter(record)
        await syncDirectory(dirname(target))
        if (previous?.uploadId !== undefined) await this.folders.doom(previous.uploadId)
      })
    } finally {
      this.#publishing--
    }
  }

  async open(key: string): Promise<ObjectVersion> {
    for (let attempt = 0; attempt < OPEN_ATTEMPTS; attempt++) {
      if (!this.index.get(key)) throw new S3Error('NoSuchKey')
      const opened = await this.#openFile(key)
      if (!opened) continue
      const { multipart } = opened.record
      if (!multipart || this.folders.acquire(multipart.uploadId)) {
        return new ObjectVersion(opened.record, opened.handle, this.folders)
      }
      await opened.handle.close()
    }
    throw new S3Error('InternalError', 'The file of the object is missing, or is replaced faster than it can be read.')
  }

  async remove(key: string, conditions: DeleteConditions): Promise<void> {
    await this.#locks.run(key, async () => {
      const previous = this.index.get(key)
      requireDeletable(previous, conditions)
      if (!previous) return
      const target = this.#pathOf(key)
      await unlink(target).catch(ignoreMissing)
      this.index.delete(key)
      await syncDirectory(dirname(target))
      if (previous.uploadId !== undefined) await this.folders.doom(previous.uploadId)
    })
  }

  /** Nothing can be published from now on, so an empty bucket stays empty while it is removed. */
  close(): void {
    this.requireOpen()
    if (this.index.size > 0 || this.#publishing > 0) throw new S3Error('BucketNotEmpty')
    this.#state = 'gone'
  }

  reopen(): void {
    this.#state = 'open'
  }

  requireOpen(): void {
    if (this.#state === 'gone') throw new S3Error('NoSuchBucket')
  }

  #enter({ key, size, etag, lastModified, multipart }: ObjectRecord): void {
    this.index.set(key, { size, etag, lastModified, uploadId: multipart?.uploadId })
  }

  /** Skips only damaged records. A system error may be temporary, and must not lead to the loss of an object's parts. */
  #recoverObject(path: string): boolean {
    try {
      const record = asObjectRecord(readRecordSync(path).record)
      this.#enter(record)
      if (record.multipart) this.folders.adopt(record.multipart.uploadId)
      return true
    } catch (error) {
      if (!(error instanceof CorruptRecordError)) throw error
      this.context.warn(`an object of bucket ${this.name} is damaged and is left out: ${path}`, error)
      return false
    }
  }

  async #openFile(key: string) {
    try {
      const { handle, record } = await openRecord(this.#pathOf(key))
      return { handle, record: asObjectRecord(record) }
    } catch (error) {
      return ignoreMissing(error)
    }
  }

  /** The key's hash, so that no key can name a file elsewhere, or one whose name is too long. */
  #pathOf(key: string): string {
    const hash = createHash('sha256').update(key, 'utf8').digest('hex')
    return join(this.path, 'objects', hash.slice(0, 2), hash)
  }
}

function ignoreMissing(error: unknown): undefined {
  if (systemCode(error) !== 'ENOENT') throw error
  return undefined
}

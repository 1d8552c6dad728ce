import { createHash } from 'node:crypto'
import { readdirSync } from 'node:fs'
import { stat, unlink } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import type { Attributes } from './attributes.js'
import {
  requireDeletable,
  requireWritable,
  type DeleteConditions,
  type WriteConditions,
} from '../request/conditions.js'
import { DamagedFiles } from './damaged-files.js'
import { makeDirectory, syncDirectory } from './directories.js'
import { DamagedError, isShortage, S3Error, systemCode } from '../errors.js'
import { KeyedMutex } from './keyed-mutex.js'
import { ObjectIndex, type IndexEntry } from './object-index.js'
import { asObjectRecord, type ObjectRecord } from './object-record.js'
import { PartFolders } from './part-folders.js'
import type { Body } from '../request/payload.js'
import { CorruptRecordError, readRecordSync } from './record-file.js'
import type { StoreContext } from './store-context.js'
import { StoredFile } from './stored-file.js'
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
  readonly #damaged = new DamagedFiles()
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
    for (const fan of this.#namesIn(objects, '', /^[0-9a-f]{2}$/)) {
      const folder = join(objects, fan)
      for (const hash of this.#namesIn(folder, fan, /^[0-9a-f]{64}$/)) this.#recoverObject(hash, join(folder, hash))
      await setImmediate()
    }
    try {
      // A folder without an object may hold the parts of an object whose record cannot be read.
      await this.uploads.recover({ removeUnreferenced: this.#damaged.size === 0 })
    } catch (error) {
      if (isShortage(error)) throw error
      this.context.warn(`uploads of bucket ${this.name} cannot be read and are left out: ${this.path}`, error)
    }
  }

  async put(key: string, body: Body, attributes: Attributes, conditions: WriteConditions): Promise<ObjectRecord> {
    this.#requireWritable(key, conditions)
    const file = await this.context.temp.file()
    try {
      const { size, md5, checksum, blocks } = await file.write(body)
      const record = {
        key,
        bucket: this.name,
        etag: md5,
        size,
        lastModified: this.context.now(),
        ...attributes,
        checksum,
        blocks,
      }
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
        const previous = this.#requireWritable(record.key, conditions)
        const target = this.#pathOf(record.key)
        await makeDirectory(dirname(target))
        await file.moveTo(target)
        this.#damaged.delete(hashOf(record.key))
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
      if (!this.index.get(key)) throw this.#damageOf(key) ?? new S3Error('NoSuchKey')
      const file = await this.#openFile(key)
      if (!file) continue
      const { multipart } = file.record
      if (!multipart || this.folders.acquire(multipart.uploadId)) return new ObjectVersion(file, this.folders)
      await file.close()
    }
    throw new DamagedError(`a file is missing, or is replaced faster than it can be read: ${this.#pathOf(key)}`)
  }

  /** Gives a file of an object another record and the same body, unless the object has been replaced meanwhile. */
  async reseal(version: ObjectVersion, file: TempFile): Promise<void> {
    const { key } = version.record
    await this.#locks.run(key, async () => {
      const target = this.#pathOf(key)
      const [opened, current] = await Promise.all([version.file.handle.stat(), stat(target).catch(ignoreMissing)])
      if (current?.ino !== opened.ino) return file.discard()
      await file.moveTo(target)
      await syncDirectory(dirname(target))
    })
  }

  /** The files that were found damaged at start, and are still there. */
  damagedFiles(): string[] {
    return this.#damaged.paths()
  }

  async remove(key: string, conditions: DeleteConditions): Promise<void> {
    await this.#locks.run(key, async () => {
      const previous = this.index.get(key)
      requireDeletable(previous, conditions)
      if (!previous && !this.#damageOf(key)) return
      const target = this.#pathOf(key)
      await unlink(target).catch(ignoreMissing)
      this.index.delete(key)
      this.#damaged.delete(hashOf(key))
      await syncDirectory(dirname(target)).catch((error: unknown) => {
        // The bucket, which is empty now, is removed at the same moment, and the object with it.
        if (this.#state === 'open') throw error
        ignoreMissing(error)
      })
      if (previous?.uploadId !== undefined) await this.folders.doom(previous.uploadId)
    })
  }

  /** Nothing can be published from now on, so an empty bucket stays empty while it is removed. */
  close(): void {
    this.requireOpen()
    if (this.index.size > 0 || this.#damaged.size > 0 || this.#publishing > 0) throw new S3Error('BucketNotEmpty')
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

  /** A damaged file under the key counts as an object of which nothing is known. */
  #requireWritable(key: string, conditions: WriteConditions): IndexEntry | undefined {
    const current = this.index.get(key)
    const damage = current ? undefined : this.#damageOf(key)
    if (damage && conditions.ifNoneMatch !== undefined) throw new S3Error('PreconditionFailed')
    if (damage && conditions.ifMatch !== undefined) throw damage
    requireWritable(current, conditions)
    return current
  }

  /** After a start, a key that is not in the index may be that of a file that could not be read. */
  #damageOf(key: string): DamagedError | undefined {
    const path = this.#damaged.pathOf(hashOf(key))
    return path === undefined ? undefined : new DamagedError(`a file could not be read at start: ${path}`)
  }

  /** The names in a folder that can be those of its objects. A folder that cannot be read is damaged as a whole. */
  #namesIn(folder: string, hashPrefix: string, pattern: RegExp): string[] {
    try {
      const names = readdirSync(folder)
      const foreign = names.filter(name => !pattern.test(name))
      for (const name of foreign) this.context.warn(`foreign file is left alone: ${join(folder, name)}`)
      return names.filter(name => pattern.test(name))
    } catch (error) {
      this.#leaveOut(hashPrefix, folder, error)
      return []
    }
  }

  #recoverObject(hash: string, path: string): void {
    try {
      const { record, bodyLength } = readRecordSync(path)
      const object = asObjectRecord(record)
      if (this.#pathOf(object.key) !== path || !this.#isOwn(object))
        throw new CorruptRecordError('the object of another name')
      if (bodyLength !== (object.multipart ? 0 : object.size)) throw new CorruptRecordError('a body of another length')
      this.#enter(object)
      if (object.multipart) this.folders.adopt(object.multipart.uploadId)
    } catch (error) {
      this.#leaveOut(hash, path, error)
    }
  }

  #leaveOut(hashPrefix: string, path: string, error: unknown): void {
    if (isShortage(error)) throw error
    this.#damaged.add(hashPrefix, path)
    this.context.warn(`object of bucket ${this.name} is damaged and is left out: ${path}`, error)
  }

  async #openFile(key: string): Promise<StoredFile<ObjectRecord> | undefined> {
    const path = this.#pathOf(key)
    try {
      const file = await StoredFile.open(path, asObjectRecord)
      if (file.record.key === key && this.#isOwn(file.record)) return file
      await file.close()
    } catch (cause) {
      if (isShortage(cause)) throw cause
      if (systemCode(cause) === 'ENOENT') return undefined
      throw new DamagedError(`a stored file cannot be read: ${path}`, { cause })
    }
    throw new DamagedError(`the file of another object: ${path}`)
  }

  /** The file of an object with the same key in another bucket has the same name. */
  #isOwn({ bucket = this.name }: ObjectRecord): boolean {
    return bucket === this.name
  }

  /** The key's hash, so that no key can name a file elsewhere, or one whose name is too long. */
  #pathOf(key: string): string {
    const hash = hashOf(key)
    return join(this.path, 'objects', hash.slice(0, 2), hash)
  }
}

function hashOf(key: string): string {
  return createHash('sha256').update(key, 'utf8').digest('hex')
}

function ignoreMissing(error: unknown): undefined {
  if (systemCode(error) !== 'ENOENT') throw error
  return undefined
}

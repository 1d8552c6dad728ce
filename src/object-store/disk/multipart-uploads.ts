import { randomBytes } from 'node:crypto'
import { readdirSync } from 'node:fs'
import { readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Attributes } from './attributes.js'
import type { WriteConditions } from '../request/conditions.js'
import { syncDirectory, writeDurably } from './directories.js'
import { isShortage, S3Error, systemCode } from '../errors.js'
import { KeyedMutex } from './keyed-mutex.js'
import { asPartRecord, asUploadRecord } from './object-record.js'
import type { ObjectRecord, PartRecord, Upload, UploadRecord } from './object-record.js'
import { completionOf, type CompletionOrder } from './upload-completion.js'
import { partName, type PartFolders } from './part-folders.js'
import type { Body } from '../request/payload.js'
import { CorruptRecordError, encodeRecord, readRecordSync } from './record-file.js'
import type { StoreContext } from './store-context.js'
import type { TempFile } from './temp-folder.js'

const UPLOAD_FILE = 'upload'

/** Makes an object of a finished upload. */
export interface Publisher {
  /** The name of the bucket. */
  readonly name: string
  /** @throws {S3Error} NoSuchBucket once the bucket is being removed */
  requireOpen(): void
  publish(file: TempFile, record: ObjectRecord, conditions: WriteConditions): Promise<void>
}

/**
 * The multipart uploads of a bucket. Each has a folder with its parts and, while it is under way, a file `upload`.
 * An upload is completed by an object record that refers to the folder. No part is copied.
 */
export class MultipartUploads {
  readonly #uploads = new Map<string, Upload>()
  readonly #locks = new KeyedMutex()

  constructor(
    private readonly publisher: Publisher,
    private readonly folders: PartFolders,
    private readonly context: StoreContext,
  ) {}

  /** Runs after the objects are recovered: a folder that an object refers to is complete. */
  async recover({ removeUnreferenced }: { removeUnreferenced: boolean }): Promise<void> {
    const root = this.folders.pathOf('')
    for (const id of readdirSync(root)) {
      const folder = this.folders.pathOf(id)
      if (!/^[0-9a-f]{32}$/.test(id)) this.context.warn(`foreign file is left alone: ${folder}`)
      else if (this.folders.has(id)) await this.#removeLeftOver(join(folder, UPLOAD_FILE))
      else if (this.#recoverUpload(folder) === 'no upload' && removeUnreferenced) await this.#removeLeftOver(folder)
    }
    await syncDirectory(root)
  }

  async create(key: string, attributes: Attributes, checksum: UploadRecord['checksum']): Promise<Upload> {
    await this.context.temp.space.require()
    const id = randomBytes(16).toString('hex')
    const record: UploadRecord = { id, key, initiated: this.context.now(), ...attributes, checksum }
    await this.#inBucket(() =>
      this.context.temp.directory(this.folders.pathOf(id), async path => {
        await writeDurably(join(path, UPLOAD_FILE), encodeRecord(record))
      }),
    )
    const upload = { ...record, parts: new Map<number, PartRecord>() }
    this.#uploads.set(id, upload)
    return upload
  }

  get(id: string | undefined, key: string): Upload {
    const upload = this.#uploads.get(id ?? '')
    if (upload?.key !== key) throw new S3Error('NoSuchUpload')
    return upload
  }

  all(): Upload[] {
    return [...this.#uploads.values()]
  }

  async putPart(upload: Upload, partNumber: number, body: Body): Promise<PartRecord> {
    const file = await this.context.temp.file()
    try {
      const { size, md5, checksum, blocks } = await file.write(body)
      const part: PartRecord = { partNumber, size, etag: md5, lastModified: this.context.now(), checksum, blocks }
      await file.seal(part)
      await this.#exclusive(upload, async () => {
        const folder = this.folders.pathOf(upload.id)
        await file.moveTo(join(folder, partName(partNumber)))
        upload.parts.set(partNumber, part)
        await syncDirectory(folder)
      })
      return part
    } catch (error) {
      await file.discard()
      throw error
    }
  }

  async complete(upload: Upload, order: CompletionOrder, conditions: WriteConditions): Promise<ObjectRecord> {
    return this.#exclusive(upload, async () => {
      const { etag, size, parts, md5s, checksum } = completionOf(upload, order)
      const { id, key, headers, metadata } = upload
      const multipart = { uploadId: id, parts, md5s }
      const lastModified = this.context.now()
      const record = {
        key,
        bucket: this.publisher.name,
        etag,
        size,
        lastModified,
        headers,
        metadata,
        checksum,
        multipart,
      }

      const file = await this.context.temp.file()
      this.folders.adopt(id)
      try {
        await file.seal(record)
        await this.publisher.publish(file, record, conditions)
      } catch (error) {
        // The object exists once the record has its name, even if the disk then fails to confirm it.
        if (file.moved) this.#uploads.delete(id)
        else this.folders.disown(id)
        await file.discard()
        throw error
      }
      this.#uploads.delete(id)
      await this.#tidy(id, new Set(parts.map(([partNumber]) => partName(partNumber))))
      return record
    })
  }

  async abort(upload: Upload): Promise<void> {
    const remove = await this.#exclusive(upload, async () => {
      const takenAway = await this.context.temp.takeAway(this.folders.pathOf(upload.id), this.folders.pathOf(''))
      this.#uploads.delete(upload.id)
      return takenAway
    })
    await remove()
  }

  async #exclusive<T>(upload: Upload, work: () => Promise<T>): Promise<T> {
    return this.#locks.run(upload.id, async () => {
      if (!this.#uploads.has(upload.id)) throw new S3Error('NoSuchUpload')
      return this.#inBucket(work)
    })
  }

  /** A bucket is removed with its uploads at any moment. What then finds no folder was not a fault of the disk. */
  async #inBucket<T>(work: () => Promise<T>): Promise<T> {
    this.publisher.requireOpen()
    try {
      return await work()
    } catch (error) {
      if (systemCode(error) === 'ENOENT') this.publisher.requireOpen()
      throw error
    }
  }

  /** Removes the leftovers of a completed upload: its record, and parts that were not listed. */
  async #tidy(id: string, wanted: ReadonlySet<string>): Promise<void> {
    const folder = this.folders.pathOf(id)
    try {
      const names = await readdir(folder)
      for (const name of names.filter(name => !wanted.has(name))) await rm(join(folder, name), { force: true })
      await syncDirectory(folder)
    } catch (cause) {
      this.context.warn(`leftovers of a completed upload could not be removed: ${folder}`, cause)
    }
  }

  /** A folder without the file `upload` cannot be completed, and its object is gone. */
  #recoverUpload(folder: string): 'recovered' | 'no upload' | 'damaged' {
    try {
      const record = asUploadRecord(readRecordSync(join(folder, UPLOAD_FILE)).record)
      if (this.folders.pathOf(record.id) !== folder) throw new CorruptRecordError('the upload of another folder')
      const parts = new Map<number, PartRecord>()
      for (const name of readdirSync(folder).filter(name => name !== UPLOAD_FILE)) {
        const part = this.#recoverPart(join(folder, name))
        if (part && partName(part.partNumber) === name) parts.set(part.partNumber, part)
      }
      this.#uploads.set(record.id, { ...record, parts })
      return 'recovered'
    } catch (error) {
      if (systemCode(error) === 'ENOENT') return 'no upload'
      if (isShortage(error)) throw error
      this.context.warn(`upload is damaged and is left out: ${folder}`, error)
      return 'damaged'
    }
  }

  /** A client that completes the upload is told which part is missing, and can send it again. */
  #recoverPart(path: string): PartRecord | undefined {
    try {
      return asPartRecord(readRecordSync(path).record)
    } catch (error) {
      if (isShortage(error)) throw error
      this.context.warn(`part is damaged or foreign and is left out: ${path}`, error)
      return undefined
    }
  }

  async #removeLeftOver(path: string): Promise<void> {
    try {
      await rm(path, { recursive: true, force: true })
    } catch (cause) {
      this.context.warn(`leftovers of an upload could not be removed: ${path}`, cause)
    }
  }
}

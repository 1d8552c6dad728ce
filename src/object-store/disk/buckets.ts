import { statSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { isIP } from 'node:net'
import { join } from 'node:path'
import { Bucket } from './bucket.js'
import { makeDirectory, writeDurably } from './directories.js'
import { isShortage, S3Error } from '../errors.js'
import { KeyedMutex } from './keyed-mutex.js'
import { withFields } from './object-record.js'
import { encodeRecord, readRecordSync } from './record-file.js'
import type { StoreContext } from './store-context.js'

const BUCKET_FILE = 'bucket'

/** All buckets. They are made in the temporary folder and renamed, and removed in reverse: none is incomplete. */
export class Buckets {
  readonly #buckets = new Map<string, Bucket>()
  readonly #locks = new KeyedMutex()

  constructor(
    private readonly root: string,
    private readonly context: StoreContext,
  ) {}

  /** One file that is damaged or foreign is named to the operator, and is no reason not to start. */
  async recover(): Promise<void> {
    for (const name of await readdir(this.root)) {
      const path = join(this.root, name)
      const createdAt = this.#recoverCreation(name, path)
      if (createdAt === undefined) {
        this.context.warn(`foreign file is left alone: ${path}`)
        continue
      }
      const bucket = new Bucket(name, createdAt, path, this.context)
      await bucket.recover()
      this.#buckets.set(name, bucket)
    }
  }

  all(): Bucket[] {
    return [...this.#buckets.values()].sort((a, b) => (a.name < b.name ? -1 : 1))
  }

  get(name: string): Bucket {
    const bucket = this.#buckets.get(name)
    if (!bucket) throw new S3Error('NoSuchBucket')
    return bucket
  }

  async create(name: string): Promise<void> {
    requireBucketName(name)
    await this.#locks.run(name, async () => {
      if (this.#buckets.has(name)) throw new S3Error('BucketAlreadyOwnedByYou')
      const createdAt = this.context.now()
      const path = join(this.root, name)
      await this.context.temp.directory(path, async half => {
        await writeDurably(join(half, BUCKET_FILE), encodeRecord({ name, createdAt }))
        await makeDirectory(join(half, 'objects'))
        await makeDirectory(join(half, 'uploads'))
      })
      this.#buckets.set(name, new Bucket(name, createdAt, path, this.context))
    })
  }

  /** As on S3, uploads under way do not prevent the removal of a bucket, and are removed with it. */
  async remove(name: string): Promise<void> {
    const removeFiles = await this.#locks.run(name, async () => {
      const bucket = this.get(name)
      bucket.close()
      try {
        const takenAway = await this.context.temp.takeAway(join(this.root, name), this.root)
        this.#buckets.delete(name)
        return takenAway
      } catch (error) {
        bucket.reopen()
        throw error
      }
    })
    await removeFiles()
  }

  /** The time of the creation. Undefined: this is not a bucket. A bucket whose own file is damaged has all its objects. */
  #recoverCreation(name: string, path: string): number | undefined {
    if (!isBucketName(name)) return undefined
    try {
      const { record } = readRecordSync(join(path, BUCKET_FILE))
      return withFields<{ createdAt: number }>(record, { createdAt: 'number' }).createdAt
    } catch (error) {
      if (isShortage(error)) throw error
      const birth = birthOf(join(path, 'objects'))
      if (birth === undefined) return undefined
      this.context.warn(`file of bucket ${name} is damaged, its objects are served: ${path}`, error)
      return birth
    }
  }
}

function birthOf(path: string): number | undefined {
  try {
    return Math.round(statSync(path).birthtimeMs)
  } catch {
    return undefined
  }
}

/** S3's "Bucket naming rules": such a name is also safe as the name of a directory. */
function requireBucketName(name: string): void {
  if (!isBucketName(name)) throw new S3Error('InvalidBucketName')
}

function isBucketName(name: string): boolean {
  return /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/.test(name) && !name.includes('..') && isIP(name) === 0
}

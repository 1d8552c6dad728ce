import { SortedKeys } from './sorted-keys.js'

export interface IndexEntry {
  readonly size: number
  /** Without quotes. */
  readonly etag: string
  /** Milliseconds since the epoch. */
  readonly lastModified: number
  /** The upload whose folder holds the parts of a multipart object. */
  readonly uploadId: string | undefined
}

/**
 * S3 lists keys in the order of their UTF-8 bytes; JavaScript compares UTF-16 units, which differs past U+FFFF. So the
 * index holds every key as a string of its bytes (one character each), where `<` is byte order.
 */
export function toByteString(text: string): string {
  return Buffer.from(text, 'utf8').toString('latin1')
}

export function fromByteString(bytes: string): string {
  return Buffer.from(bytes, 'latin1').toString('utf8')
}

/** The facts of each object that a listing needs, in memory and in order. */
export class ObjectIndex {
  readonly #entries = new Map<string, IndexEntry>()
  readonly #order = new SortedKeys()

  get size(): number {
    return this.#entries.size
  }

  get(key: string): IndexEntry | undefined {
    return this.#entries.get(toByteString(key))
  }

  set(key: string, entry: IndexEntry): void {
    const bytes = toByteString(key)
    if (!this.#entries.has(bytes)) this.#order.add(bytes)
    this.#entries.set(bytes, entry)
  }

  delete(key: string): void {
    const bytes = toByteString(key)
    if (this.#entries.delete(bytes)) this.#order.delete(bytes)
  }

  /** The entry of a key that `firstFrom` has just named. */
  entry(bytes: string): IndexEntry {
    const entry = this.#entries.get(bytes)
    if (!entry) throw new Error('the index and its order disagree')
    return entry
  }

  firstKey(): string | undefined {
    return this.keyAfter('')
  }

  /** The next key in order, whether this one is still there or not. */
  keyAfter(key: string): string | undefined {
    const bytes = this.#order.firstFrom(key === '' ? '' : `${toByteString(key)}\0`)
    return bytes === undefined ? undefined : fromByteString(bytes)
  }

  firstFrom(bytes: string): string | undefined {
    return this.#order.firstFrom(bytes)
  }
}

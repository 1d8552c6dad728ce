import type { IncomingHttpHeaders, IncomingMessage } from 'node:http'
import type { AnswerHead } from '../transports/answer.js'
import type { AnswerCopy, KeptAnswer } from '../transports/transport.js'
import { CopiesInMaking } from './copies-in-making.js'
import { CopyShelf, type Shelved, type ShelfLimits } from './copy-shelf.js'
import { KeptFolder, type KeptFile } from './kept-folder.js'

/** The bounds of all copies in one process, and of those in the folder. */
export interface KeptLimits extends ShelfLimits {
  readonly maxBytesOfOne: number
}

const LIMITS: KeptLimits = { maxBytes: 32 * 1024 ** 2, maxBytesOfOne: 1024 ** 2, maxCount: 2_000 }

/** The bounds of the copies that are being made. */
const MAKING = { maxBytes: 8 * 1024 ** 2, maxCount: 16 }

/** The folder is searched for a missing copy at most this often. */
const LOOK_MS = 1_000
/** A copy that still passes is refreshed in the folder at most this often. */
const REFRESH_MS = 300_000

type RequestFacts = Pick<IncomingMessage, 'method' | 'url' | 'headers'>

interface Entry extends KeptAnswer, Shelved {
  readonly key: string
  /** The coding of the body; undefined for none. */
  readonly encoding: string | undefined
  readonly etag: string | undefined
  /** When it was last written to the folder. */
  savedAt: number
}

/** The facts in the headers of an answer that may be kept. */
type Kind = Pick<Entry, 'encoding' | 'etag'>

/**
 * Copies of answers that say they never change, for pages of a release that clients no longer get: what such a page
 * names is often not there in the release after it.
 */
export class KeptAnswers {
  readonly #shelf: CopyShelf<Entry>
  readonly #making: CopiesInMaking
  #until = 0
  readonly #folder: KeptFolder | undefined
  #lookedAt = -Infinity
  #isLooking = false

  /**
   * @param wallClock in milliseconds since 1970
   * @param folder where copies are shared with other processes; undefined: they are kept in memory alone
   */
  constructor(
    limits: KeptLimits = LIMITS,
    private readonly wallClock: () => number = Date.now,
    folder?: string,
  ) {
    this.#shelf = new CopyShelf(limits)
    this.#making = new CopiesInMaking({ ...MAKING, maxBytesOfOne: limits.maxBytesOfOne }, wallClock)
    if (folder !== undefined) this.#folder = new KeptFolder(folder, limits)
  }

  get size(): number {
    return this.#shelf.size
  }

  /** Clients may have pages of another release until then, in milliseconds since 1970. */
  useUntil(until: number): void {
    if (until === this.#until) return
    this.#until = until
    this.#lookedAt = -Infinity
    if (until !== 0) this.#look()
  }

  /** For what other processes have kept. */
  #look(): void {
    const now = this.wallClock()
    if (this.#folder === undefined || this.#isLooking || Math.abs(now - this.#lookedAt) < LOOK_MS) return
    this.#lookedAt = now
    this.#isLooking = true
    void this.#folder.load().then(files => {
      this.#isLooking = false
      this.#restore(files)
    })
  }

  #restore(files: readonly KeptFile[]): void {
    for (const file of files) if (this.#shelf.get(file.name) === undefined) this.#keep(file)
  }

  /** Where to put the body of an answer, if it is to be kept. */
  begin(request: RequestFacts, { rawHeaders }: AnswerHead): AnswerCopy | undefined {
    if (request.method !== 'GET' || !isImmutable(rawHeaders)) return undefined
    const kind = request.headers.authorization === undefined ? kindOf(rawHeaders) : undefined
    const key = keyOf(request)
    if (kind === undefined || key === undefined) return undefined
    const { encoding = '' } = kind
    const name = `${encoding} ${key}`
    const known = this.#shelf.get(name)
    if (known !== undefined && known.etag === kind.etag) {
      this.#shelf.pass(name)
      if (this.#folder !== undefined) this.#refresh(name, known)
      return undefined
    }
    return this.#making.begin(name, body => {
      const group = `${encoding} ${request.url ?? ''}`
      const file = { name, group, ...kind, key, rawHeaders: keptHeaders(rawHeaders, body), body }
      this.#keep(file)
      this.#folder?.save(file)
    })
  }

  #refresh(name: string, entry: Entry): void {
    const now = this.wallClock()
    if (now - entry.savedAt < REFRESH_MS) return
    entry.savedAt = now
    const { group, key, encoding, etag, head, body } = entry
    this.#folder?.refresh({ name, group, key, encoding, etag, rawHeaders: head.rawHeaders, body })
  }

  /** The copy to give in place of a 404. */
  find(request: RequestFacts): KeptAnswer | undefined {
    if (this.#shelf.size === 0 && this.#folder === undefined) return undefined
    if (this.wallClock() >= this.#until) return undefined
    if (request.method !== 'GET' && request.method !== 'HEAD') return undefined
    const key = keyOf(request)
    if (key === undefined) return undefined
    const accepted = ['', ...codingsIn(request.headers)]
    const found = accepted.map(coding => this.#shelf.get(`${coding} ${key}`)).find(entry => entry !== undefined)
    // For the next client that asks.
    if (found === undefined) this.#look()
    return found
  }

  #keep({ name, group, key, encoding, etag, rawHeaders, body }: KeptFile): void {
    const size = sizeOf(rawHeaders, body, key)
    this.#shelf.add(name, {
      ...{ key, encoding, etag, group, size, body },
      head: headOf(rawHeaders),
      savedAt: this.wallClock(),
    })
  }
}

function headOf(rawHeaders: string[]): AnswerHead {
  return { statusCode: 200, statusMessage: 'OK', headers: {}, rawHeaders, rawTrailers: [] }
}

const MAX_URL = 2_048

function keyOf({ url = '', headers: { host = '' } }: RequestFacts): string | undefined {
  // With another query it would be the same file, and anybody can make up queries.
  return url.length + host.length > MAX_URL || url.includes('?') ? undefined : `${host} ${url}`
}

function sizeOf(rawHeaders: readonly string[], body: Buffer, key: string): number {
  return rawHeaders.reduce((sum, text) => sum + text.length, body.length + 4 * key.length) + OVERHEAD
}

/** The memory of an entry beside its texts. */
const OVERHEAD = 512

/** Comparing lengths is cheaper than lower-casing every name: this is asked of each answer. */
function isImmutable(rawHeaders: readonly string[]): boolean {
  for (let i = 0; i < rawHeaders.length; i += 2) {
    if (rawHeaders[i]?.length !== CACHE_CONTROL.length) continue
    const value = rawHeaders[i + 1] as string
    if (value.includes('immutable') && rawHeaders[i]?.toLowerCase() === CACHE_CONTROL) return isPublic(value)
  }
  return false
}

const CACHE_CONTROL = 'cache-control'

function isPublic(cacheControl: string): boolean {
  const words = cacheControl.toLowerCase().split(/[\s,]+/)
  const has = (word: string): boolean => words.some(each => each === word || each.startsWith(`${word}=`))
  return has('immutable') && has('public') && !['private', 'no-store', 'no-cache'].some(has)
}

/** Undefined for an answer that is not the same for all. */
function kindOf(rawHeaders: readonly string[]): Kind | undefined {
  let [encoding, etag]: [string | undefined, string | undefined] = [undefined, undefined]
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const value = rawHeaders[i + 1] as string
    switch (rawHeaders[i]?.toLowerCase()) {
      case 'set-cookie':
      case 'trailer':
        return undefined
      case 'vary':
        if (value.toLowerCase().trim() !== 'accept-encoding') return undefined
        break
      case 'content-encoding':
        encoding = value.toLowerCase().trim()
        break
      case 'etag':
        etag = value
    }
  }
  return { encoding, etag }
}

/** Those of the connection, and of this one answer, are not kept. */
const NOT_KEPT = new Set(['connection', 'keep-alive', 'transfer-encoding', 'content-length', 'date', 'x-request-id'])

function keptHeaders(rawHeaders: readonly string[], body: Buffer): string[] {
  const kept = ['Content-Length', String(body.length)]
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i] as string
    if (!NOT_KEPT.has(name.toLowerCase())) kept.push(name, rawHeaders[i + 1] as string)
  }
  return kept
}

/** The codings of a body that a client takes. */
function codingsIn({ 'accept-encoding': accepted = '' }: IncomingHttpHeaders): string[] {
  const offers = accepted
    .toLowerCase()
    .split(',')
    .map(offer => offer.split(';').map(part => part.trim()))
  return offers.filter(([, quality = '']) => !/^q=0(\.0*)?$/.test(quality)).map(([coding = '']) => coding)
}

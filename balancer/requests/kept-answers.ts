import type { IncomingHttpHeaders, IncomingMessage } from 'node:http'
import type { AnswerHead } from '../transports/answer.js'
import { KeptFolder, type KeptFile } from './kept-folder.js'
import type { AnswerCopy, KeptAnswer } from '../transports/transport.js'

/** What copies may take in one process. */
export interface KeptLimits {
  readonly maxBytes: number
  readonly maxBytesOfOne: number
  readonly maxCount: number
}

const LIMITS: KeptLimits = { maxBytes: 32 * 1024 ** 2, maxBytesOfOne: 1024 ** 2, maxCount: 2_000 }

type Asking = Pick<IncomingMessage, 'method' | 'url' | 'headers'>

interface Entry extends KeptAnswer {
  readonly key: string
  /** The coding of the body; undefined for none. */
  readonly encoding: string | undefined
  readonly etag: string | undefined
}

/** What is told by the headers of an answer that may be kept. */
type Kind = Pick<Entry, 'encoding' | 'etag'>

/**
 * Copies of answers that say they never change, for pages of a release that clients no longer get: what such a page
 * names is often not there in the release after it. The least recently passed give way to others.
 */
export class KeptAnswers {
  /** The oldest first. */
  readonly #entries = new Map<string, Entry>()
  #bytes = 0
  #until = 0
  readonly #folder: KeptFolder | undefined

  /**
   * @param wallClock in milliseconds since 1970
   * @param folder where copies are shared with other processes; undefined: they are kept in memory alone
   */
  constructor(
    private readonly limits: KeptLimits = LIMITS,
    private readonly wallClock: () => number = Date.now,
    folder?: string,
  ) {
    if (folder !== undefined) this.#folder = new KeptFolder(folder)
  }

  get size(): number {
    return this.#entries.size
  }

  /** Clients may have pages of another release until then, in milliseconds since 1970. */
  useUntil(until: number): void {
    if (until === this.#until) return
    this.#until = until
    if (until !== 0) void this.#folder?.load(this.limits).then(files => this.#restore(files))
  }

  /** What other processes have kept. */
  #restore(files: readonly KeptFile[]): void {
    for (const { name, key, encoding, etag, rawHeaders, body } of files) {
      if (!this.#entries.has(name)) this.#keep(name, { key, encoding, etag, head: headOf(rawHeaders), body })
    }
  }

  /** Where to put the body of an answer, if it is to be kept. */
  begin(request: Asking, { rawHeaders }: AnswerHead): AnswerCopy | undefined {
    if (request.method !== 'GET' || !isImmutable(rawHeaders)) return undefined
    const kind = request.headers.authorization === undefined ? kindOf(rawHeaders) : undefined
    const key = keyOf(request)
    if (kind === undefined || key === undefined) return undefined
    const name = `${kind.encoding ?? ''} ${key}`
    const known = this.#entries.get(name)
    if (known !== undefined && known.etag === kind.etag) {
      this.#entries.delete(name)
      this.#entries.set(name, known)
      return undefined
    }
    return new Copy(this.limits.maxBytesOfOne, body => {
      const headers = keptHeaders(rawHeaders, body)
      this.#keep(name, { ...kind, key, head: headOf(headers), body })
      void this.#folder?.save({ name, ...kind, key, rawHeaders: headers, body })
    })
  }

  /** The copy to give in place of an answer that there is nothing. */
  find(request: Asking): KeptAnswer | undefined {
    if (this.#entries.size === 0 || this.wallClock() >= this.#until) return undefined
    if (request.method !== 'GET' && request.method !== 'HEAD') return undefined
    const key = keyOf(request)
    const accepted = ['', ...codingsIn(request.headers)]
    return accepted.map(coding => this.#entries.get(`${coding} ${key ?? ''}`)).find(entry => entry !== undefined)
  }

  #keep(name: string, entry: Entry): void {
    this.#drop(name)
    this.#entries.set(name, entry)
    this.#bytes += sizeOf(entry)
    for (const oldest of this.#entries.keys()) {
      if (this.#bytes <= this.limits.maxBytes && this.#entries.size <= this.limits.maxCount) return
      this.#drop(oldest)
    }
  }

  #drop(name: string): void {
    const entry = this.#entries.get(name)
    if (entry === undefined) return
    this.#entries.delete(name)
    this.#bytes -= sizeOf(entry)
  }
}

function headOf(rawHeaders: string[]): AnswerHead {
  return { statusCode: 200, statusMessage: 'OK', headers: {}, rawHeaders, rawTrailers: [] }
}

/** The body of an answer as it passes. */
class Copy implements AnswerCopy {
  #parts: Buffer[] | undefined = []
  #bytes = 0

  constructor(
    private readonly maxBytes: number,
    private readonly keep: (body: Buffer) => void,
  ) {}

  add(part: Buffer): void {
    this.#bytes += part.length
    if (this.#bytes > this.maxBytes) this.#parts = undefined
    this.#parts?.push(part)
  }

  end(): void {
    // A copy: what arrived together with it would be kept as well.
    if (this.#parts !== undefined) this.keep(Buffer.concat(this.#parts))
  }
}

const MAX_URL = 2_048

function keyOf({ url = '', headers: { host = '' } }: Asking): string | undefined {
  // With another query it would be the same file, and anybody can make up queries.
  return url.length + host.length > MAX_URL || url.includes('?') ? undefined : `${host} ${url}`
}

function sizeOf({ head, body, key }: Entry): number {
  return head.rawHeaders.reduce((sum, text) => sum + text.length, body.length + 2 * key.length) + OVERHEAD
}

/** What an entry takes beside its texts. */
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

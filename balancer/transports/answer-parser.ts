import type { FramingHeaders } from './answer.js'
import { AnswerFault, parseFields, parseStatusLine } from './answer-fields.js'
import type { InterimAnswer } from './interim-answer.js'

/** The findings of a parser, in this order: interim answers, one head, pieces of the body, the end. */
export interface AnswerSink {
  /** An answer like 103, before the real one. */
  interimFound(head: ParsedHead): void
  headFound(head: ParsedHead): void
  bodyFound(piece: Buffer): void
  /** @param trailers names and values in turn */
  endFound(trailers: string[]): void
}

/**
 * - `idle`: no answer is expected
 * - `head`, `trailers`: up to an empty line
 * - `body`: of a known length; `rest`: up to the end of the connection
 * - `size`: a line with the size of a chunk; `chunk`: its data; `separator`: the line break after the data
 */
type ParserState = 'idle' | 'head' | 'body' | 'rest' | 'size' | 'chunk' | 'separator' | 'trailers'

/**
 * Parses answers of HTTP/1.1, one at a time (RFC 9112). It is strict: what two parsers could read differently is a
 * fault, and so is a byte that comes when no answer is expected. After a fault nothing on the connection can be
 * trusted.
 */
export class AnswerParser {
  #state: ParserState = 'idle'
  #toHead = false
  /** The first bytes of a line or a head whose end has not arrived. */
  #held: Buffer | undefined
  #left = 0
  #reusable = true
  #idleSeconds: number | undefined
  #sink: AnswerSink | undefined

  /** Whether no answer is expected, or all of it has come. */
  get idle(): boolean {
    return this.#state === 'idle'
  }

  /** Whether the connection stays open for another request, as far as the answers tell. */
  get reusable(): boolean {
    return this.#reusable
  }

  /** How long the target keeps the connection unused; undefined when it does not say. */
  get idleSeconds(): number | undefined {
    return this.#idleSeconds
  }

  /**
   * Expects an answer from now on.
   * @param toHead to a HEAD request: whatever its headers say, it has no body
   * @param sink told of what is found
   */
  expect(toHead: boolean, sink: AnswerSink): void {
    this.#toHead = toHead
    this.#sink = sink
    this.#state = 'head'
  }

  /** Takes the next bytes. Throws an `AnswerFault`; what was found before it is right. */
  push(received: Buffer): void {
    let bytes = received
    if (this.#held !== undefined) {
      bytes = Buffer.concat([this.#held, received])
      this.#held = undefined
    }
    let at = 0
    while (at < bytes.length) {
      const next = this.#step(bytes, at)
      if (next < 0) {
        this.#hold(bytes.subarray(at))
        return
      }
      at = next
    }
  }

  /** The connection has ended. Throws an `AnswerFault` unless that is where the answer ends. */
  finish(): void {
    if (this.#state === 'rest') this.#end([])
    else if (this.#state !== 'idle') throw new AnswerFault('connection ended within an answer')
  }

  /** Returns the offset after what was read; -1 when more has to arrive first. */
  #step(bytes: Buffer, at: number): number {
    switch (this.#state) {
      case 'idle':
        throw new AnswerFault('bytes after the end of an answer')
      case 'head':
        return this.#readHead(bytes, at)
      case 'body':
      case 'chunk':
        return this.#readBody(bytes, at)
      case 'rest':
        this.#sink?.bodyFound(at === 0 ? bytes : bytes.subarray(at))
        return bytes.length
      case 'size':
        return this.#readSize(bytes, at)
      case 'separator':
        return this.#readSeparator(bytes, at)
      case 'trailers':
        return this.#readTrailers(bytes, at)
    }
  }

  #hold(bytes: Buffer): void {
    const limit = this.#state === 'size' ? MAX_SIZE_LINE : MAX_HEAD_BYTES
    if (bytes.length > limit) throw new AnswerFault('head or line too long')
    if (hasBareLineFeed(bytes)) throw new AnswerFault('line feed without carriage return')
    this.#held = bytes
  }

  #readHead(bytes: Buffer, at: number): number {
    const end = bytes.indexOf(END_OF_HEAD, at)
    if (end < 0) {
      // Bytes that are not a head may never end.
      const begin = bytes.toString('latin1', at, at + BEGIN_OF_HEAD.length)
      if (!BEGIN_OF_HEAD.startsWith(begin)) throw new AnswerFault('not an HTTP/1 answer')
      return -1
    }
    if (end - at > MAX_HEAD_BYTES) throw new AnswerFault('head too long')
    const text = bytes.toString('latin1', at, end + 2)
    const { status, message, minor, fieldsAt } = parseStatusLine(text)
    const { rawHeaders, headers, length, keepsAlive, idleSeconds } = parseFields(text, fieldsAt)
    const head = new ParsedHead(status, message, headers, rawHeaders)
    if (!keepsAlive || minor === 0) this.#reusable = false
    this.#idleSeconds = idleSeconds
    if (status >= 100 && status < 200 && status !== SWITCHING) {
      if (length !== undefined || headers['transfer-encoding'] !== undefined)
        throw new AnswerFault('interim answer with a body')
      this.#sink?.interimFound(head)
    } else this.#beginBody(head, status, minor, length)
    return end + END_OF_HEAD.length
  }

  #beginBody(head: ParsedHead, status: number, minor: number, length: number | undefined): void {
    const isChunked = head.headers['transfer-encoding'] !== undefined
    if (isChunked && (length !== undefined || minor === 0)) throw new AnswerFault('framed in two ways')
    // Another protocol follows.
    if (status === SWITCHING) throw new AnswerFault('answer switches protocols unasked')
    this.#sink?.headFound(head)
    if (this.#toHead || status === 204 || status === 304 || length === 0) return this.#end([])
    if (isChunked) this.#state = 'size'
    else if (length === undefined) {
      this.#reusable = false
      this.#state = 'rest'
    } else {
      this.#left = length
      this.#state = 'body'
    }
  }

  #readBody(bytes: Buffer, at: number): number {
    const end = Math.min(bytes.length, at + this.#left)
    this.#sink?.bodyFound(at === 0 && end === bytes.length ? bytes : bytes.subarray(at, end))
    this.#left -= end - at
    if (this.#left > 0) return end
    if (this.#state === 'chunk') this.#state = 'separator'
    else this.#end([])
    return end
  }

  #readSize(bytes: Buffer, at: number): number {
    const end = bytes.indexOf(LINE_BREAK, at)
    if (end < 0) return -1
    const line = CHUNK_SIZE.exec(bytes.toString('latin1', at, Math.min(end, at + MAX_SIZE_LINE)))
    if (line === null || end - at >= MAX_SIZE_LINE) throw new AnswerFault('bad chunk size')
    this.#left = parseInt(line[1] as string, 16)
    this.#state = this.#left === 0 ? 'trailers' : 'chunk'
    return end + LINE_BREAK.length
  }

  #readSeparator(bytes: Buffer, at: number): number {
    if (bytes[at] !== CARRIAGE_RETURN || (at + 1 < bytes.length && bytes[at + 1] !== LINE_FEED)) {
      throw new AnswerFault('chunk longer than its size')
    }
    if (at + 1 === bytes.length) return -1
    this.#state = 'size'
    return at + 2
  }

  #readTrailers(bytes: Buffer, at: number): number {
    if (bytes.length - at < 2) return -1
    if (bytes[at] === CARRIAGE_RETURN && bytes[at + 1] === LINE_FEED) {
      this.#end([])
      return at + 2
    }
    const end = bytes.indexOf(END_OF_HEAD, at)
    if (end < 0) return -1
    if (end - at > MAX_HEAD_BYTES) throw new AnswerFault('trailers too long')
    this.#end(parseFields(bytes.toString('latin1', at, end + 2), 0).rawHeaders)
    return end + END_OF_HEAD.length
  }

  #end(trailers: string[]): void {
    const sink = this.#sink
    this.#state = 'idle'
    this.#sink = undefined
    sink?.endFound(trailers)
  }
}

/** A head without trailers, which come later if at all. */
export class ParsedHead implements InterimAnswer {
  rawTrailers: string[] = []

  constructor(
    readonly statusCode: number,
    readonly statusMessage: string,
    readonly headers: FramingHeaders,
    readonly rawHeaders: string[],
  ) {}
}

/** Node's own limit for answers is 16 KiB. A client of the app would set its own. */
export const MAX_HEAD_BYTES = 256 * 1024

/** The longest line with a chunk's size and its extensions, which nobody uses. */
const MAX_SIZE_LINE = 256

/** A safe integer in hexadecimal digits, and extensions of visible characters. */
const CHUNK_SIZE = /^([\da-f]{1,13})(?:[ \t]*;[\t\x20-\x7e\x80-\xff]*)?$/i

const SWITCHING = 101
const CARRIAGE_RETURN = 0x0d
const LINE_FEED = 0x0a
const LINE_BREAK = Buffer.from('\r\n')
const END_OF_HEAD = Buffer.from('\r\n\r\n')
const BEGIN_OF_HEAD = 'HTTP/1.'

function hasBareLineFeed(bytes: Buffer): boolean {
  for (let at = bytes.indexOf(LINE_FEED); at >= 0; at = bytes.indexOf(LINE_FEED, at + 1)) {
    if (at === 0 || bytes[at - 1] !== CARRIAGE_RETURN) return true
  }
  return false
}

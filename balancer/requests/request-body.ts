import type { IncomingMessage } from 'node:http'
import type { RequestBody } from '../transports/transport.js'
import { maySendAgain } from './retry.js'

const NONE: RequestBody = { kind: 'none' }
const STREAM: RequestBody = { kind: 'stream' }

/** Whether the headers announce a body (RFC 9112, section 6.3). */
export function hasBody({ headers }: IncomingMessage): boolean {
  if (headers['transfer-encoding'] !== undefined) return true
  const length = headers['content-length']
  return length !== undefined && length !== '0'
}

/** The body as far as the headers decide it. Undefined if it should be held and must be read first: see `holdBody`. */
export function bodyByHeaders(request: IncomingMessage, heldBytes: number): RequestBody | undefined {
  if (!hasBody(request)) return NONE
  const { headers } = request
  if (!maySendAgain(request) || headers.expect !== undefined) return STREAM
  const length = headers['content-length']
  return length !== undefined && Number(length) > heldBytes ? STREAM : undefined
}

/** Whether a body may be here at once: it is short, and nobody waits before it is sent. */
export function mayBeWhole({ headers }: IncomingMessage, shortBytes: number): boolean {
  const length = headers['content-length']
  return length !== undefined && Number(length) <= shortBytes && headers.expect === undefined
}

/** How much memory a body takes that is held; all that it may take when its length is not known yet. */
export function announcedBytes({ headers }: IncomingMessage, heldBytes: number): number {
  return Number(headers['content-length'] ?? heldBytes)
}

/**
 * Reads a body of at most `heldBytes` into memory. A longer one is put back into the request, to be
 * streamed. `done` is not called if the client leaves before the end.
 */
export function holdBody(request: IncomingMessage, heldBytes: number, done: (body: RequestBody) => void): void {
  const reading: BodyReading = new BodyReading(request, done, () => {
    if (reading.bytes > heldBytes) reading.giveBack()
  })
}

/** Takes a body that has come together with its head. One that is not whole yet is put back, to be streamed. */
export function takeWholeBody(request: IncomingMessage, done: (body: RequestBody) => void): void {
  const reading = new BodyReading(request, done)
  // A body that came in one piece is read in this turn of the event loop.
  setImmediate(() => reading.giveBack())
}

/** A body that is being read into memory. */
class BodyReading {
  #chunks: Buffer[] = []
  #isOver = false
  bytes = 0

  constructor(
    private readonly request: IncomingMessage,
    private readonly done: (body: RequestBody) => void,
    private readonly onPiece: () => void = () => undefined,
  ) {
    request.on('data', this.#onData).on('end', this.#onEnd)
  }

  /** Puts back what was read. Does nothing once all of it has been. */
  giveBack(): void {
    if (this.#isOver) return
    const { request } = this
    const read = this.#takeChunks()
    request.pause()
    if (this.bytes > 0) request.unshift(read)
    // As on arrival: a stream that was paused would not flow for a mere 'data' listener.
    Object.assign(request, { readableFlowing: null })
    this.done(STREAM)
  }

  /** The request, which may live long, keeps nothing of it. */
  #takeChunks(): Buffer {
    this.#isOver = true
    this.request.off('data', this.#onData).off('end', this.#onEnd)
    const chunks = this.#chunks
    this.#chunks = []
    const [only] = chunks
    return only !== undefined && chunks.length === 1 ? only : Buffer.concat(chunks)
  }

  readonly #onData = (chunk: Buffer): void => {
    this.#chunks.push(chunk)
    this.bytes += chunk.length
    this.onPiece()
  }

  readonly #onEnd = (): void => {
    if (!this.#isOver) this.done({ kind: 'held', bytes: this.#takeChunks() })
  }
}

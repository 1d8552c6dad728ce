import type { Duplex } from 'node:stream'
import type { UpgradedConnection } from './transport.js'
import { CLOSE_SERVICE_RESTART, FrameBoundaries } from './websocket-frames.js'

/** The two sockets of a forwarded WebSocket, or of another protocol. When one ends, the other ends too. */
export class UpgradedPair implements UpgradedConnection {
  readonly #boundaries = new FrameBoundaries()
  #state: 'open' | 'closing' | 'closed' = 'open'
  #timer: NodeJS.Timeout | undefined

  constructor(
    private readonly client: Duplex,
    private readonly target: Duplex,
    private readonly isWebSocket: boolean,
  ) {
    target.on('error', () => target.destroy())
    if (isWebSocket) target.on('data', (chunk: Buffer) => this.#fromTarget(chunk))
    target.once('close', () => this.#end())
    // A WebSocket does not stay open in one direction. A side that was told of the end has a moment to end as well.
    for (const side of [client, target]) side.once('finish', () => this.#endSoon())
    client.once('close', () => {
      clearTimeout(this.#timer)
      this.#state = 'closed'
      target.destroy()
    })
    target.pipe(client).pipe(target)
  }

  closeForRestart(): void {
    if (this.#state !== 'open') return
    this.#state = 'closing'
    this.target.unpipe(this.client)
    // The rest of an unfinished frame goes first, unless the target takes too long to send it.
    this.#timer = setTimeout(() => this.client.destroy(), CLOSE_TIMEOUT_MS)
    if (this.#boundaries.atBoundary) this.#sayClose()
    else this.target.resume()
  }

  #fromTarget(chunk: Buffer): void {
    const boundary = this.#boundaries.push(chunk)
    if (this.#state !== 'closing' || this.client.writableEnded) return
    this.client.write(boundary < 0 ? chunk : chunk.subarray(0, boundary))
    if (boundary >= 0) this.#sayClose()
  }

  #sayClose(): void {
    // Another protocol closes in its own way, if at all.
    this.client.end(this.isWebSocket ? CLOSE_SERVICE_RESTART : '')
    this.target.resume()
    // The client answers with its own close frame and then ends. The pipe to the target carries both.
    this.client.once('end', () => this.client.destroy())
  }

  #end(): void {
    if (this.#state === 'open') this.client.end()
    this.#endSoon()
  }

  #endSoon(): void {
    if (this.#state !== 'closed') this.#timer ??= setTimeout(() => this.client.destroy(), CLOSE_TIMEOUT_MS)
  }
}

const CLOSE_TIMEOUT_MS = 2_000

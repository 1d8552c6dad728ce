import type { Duplex } from 'node:stream'
import type { UpgradedConnection } from './transport.js'
import { CLOSE_SERVICE_RESTART, FrameBoundaries } from './websocket-frames.js'

/**
 * The two sockets of a forwarded WebSocket, or of another protocol. When one ends, the other ends too. A service has many of
 * them, and most do nothing, so each is as small as it can be: `pipe` keeps nine functions for a direction, and a listener
 * of `once` takes three objects.
 */
export class UpgradedPair implements UpgradedConnection {
  readonly #boundaries: FrameBoundaries | undefined
  #state: 'open' | 'closing' | 'closed' = 'open'
  #timer: NodeJS.Timeout | undefined

  constructor(
    private readonly client: Duplex,
    private readonly target: Duplex,
    isWebSocket: boolean,
  ) {
    if (isWebSocket) this.#boundaries = new FrameBoundaries()
    const endSoon = (): void => this.#endSoon()
    target
      .on('error', destroyThis)
      .on('data', (chunk: Buffer) => this.#fromTarget(chunk))
      .on('end', () => this.#targetEnded())
      .on('drain', () => client.resume())
      .on('finish', endSoon)
      .on('close', () => this.#end())
    client
      .on('data', (chunk: Buffer) => this.#fromClient(chunk))
      .on('end', () => this.#clientEnded())
      .on('drain', () => target.resume())
      // A WebSocket does not stay open in one direction. A side that was told of the end has a moment to end as well.
      .on('finish', endSoon)
      .on('close', () => this.#clientGone())
    client.resume()
    target.resume()
    // It may have left while its handshake was under way.
    if (client.readableEnded) this.#clientEnded()
  }

  closeForRestart(): void {
    if (this.#state !== 'open') return
    this.#state = 'closing'
    // The rest of an unfinished frame goes first, unless the target takes too long to send it.
    this.#timer = setTimeout(() => this.client.destroy(), CLOSE_TIMEOUT_MS)
    if (this.#boundaries?.atBoundary !== false) this.#sayClose()
    else this.target.resume()
  }

  #fromClient(chunk: Buffer): void {
    if (!this.target.write(chunk)) this.client.pause()
  }

  #fromTarget(chunk: Buffer): void {
    const boundary = this.#boundaries?.push(chunk) ?? -1
    if (this.client.writableEnded) return
    if (this.#state === 'open') {
      if (!this.client.write(chunk)) this.target.pause()
      return
    }
    this.client.write(boundary < 0 ? chunk : chunk.subarray(0, boundary))
    if (boundary >= 0) this.#sayClose()
  }

  #clientEnded(): void {
    this.target.end()
    // It was told of a restart, and has answered.
    if (this.#state === 'closing' && this.client.writableEnded) this.client.destroy()
  }

  #targetEnded(): void {
    if (this.#state === 'open') this.client.end()
  }

  #clientGone(): void {
    clearTimeout(this.#timer)
    this.#state = 'closed'
    this.target.destroy()
  }

  #sayClose(): void {
    // Another protocol closes in its own way, if at all.
    this.client.end(this.#boundaries === undefined ? '' : CLOSE_SERVICE_RESTART)
    // The client answers with its own close frame and then ends. Both still go to the target.
    this.target.resume()
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

/** One function for all of them. */
function destroyThis(this: Duplex): void {
  this.destroy()
}

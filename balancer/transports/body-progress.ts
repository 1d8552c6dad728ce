import type { IncomingMessage } from 'node:http'
import type { BalancerOptions } from '../options.js'

export type BodyProgressOptions = Pick<BalancerOptions, 'bodyIdleMs' | 'upstreamTimeoutMs' | 'minBytesPerSecond'>

/** `moves`, or the side that holds it up: the client that does not send, or the target that does not read. */
export type BodyState = 'moves' | 'client' | 'target'

/**
 * Watches a request body. It fails when it makes no progress, and also when its client sends less than the lowest rate:
 * a byte now and then would hold a place for ever.
 */
export class BodyProgress {
  #bytesRead: number
  /** When it last made progress, in the clock of `performance.now()`. */
  #movedAt: number

  constructor(
    private readonly request: IncomingMessage,
    private readonly options: BodyProgressOptions,
    now: number,
  ) {
    this.#bytesRead = request.socket.bytesRead
    this.#movedAt = now
  }

  check(now: number): BodyState {
    const { complete, readableLength, readableHighWaterMark, socket } = this.request
    const { upstreamTimeoutMs, bodyIdleMs, minBytesPerSecond } = this.options
    const untaken = complete || readableLength >= readableHighWaterMark
    // Behind a target that is slow to read, the client cannot be faster.
    const least = untaken ? 1 : Math.max(1, (minBytesPerSecond * bodyIdleMs) / 1_000)
    if (socket.bytesRead - this.#bytesRead >= least) {
      this.#bytesRead = socket.bytesRead
      this.#movedAt = now
    }
    // A target may have to pass on what it has read before it reads more, which may take as long as a client may.
    const patienceMs = (complete ? 0 : bodyIdleMs) + (untaken ? upstreamTimeoutMs : 0)
    if (now - this.#movedAt < patienceMs) return 'moves'
    return untaken ? 'target' : 'client'
  }
}

import type { ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import { DETACHED } from '#balancer/contract/detached.js'
import type { RequestCounts } from '../ipc/vitals.js'

/** Counts the requests of one worker. */
export class RequestCount {
  readonly #inFlight = new Set<ServerResponse>()
  #upgraded = 0
  #requests = 0

  get counts(): RequestCounts {
    let streaming = 0
    for (const { headersSent } of this.#inFlight) if (headersSent) streaming += 1
    return { inFlight: this.#inFlight.size, streaming, upgraded: this.#upgraded, requests: this.#requests }
  }

  /** The request is in flight until its answer is closed, or taken from the app. */
  begin(answer: ServerResponse): void {
    this.#requests += 1
    this.#inFlight.add(answer)
    const over = (): void => {
      answer.off('close', over).off(DETACHED, over)
      this.#inFlight.delete(answer)
    }
    answer.once('close', over).once(DETACHED, over)
  }

  /** An upgraded connection is a request that is over at once. The connection lasts until it is closed. */
  beginUpgrade(socket: Duplex): void {
    this.#requests += 1
    this.#upgraded += 1
    socket.once('close', () => (this.#upgraded -= 1))
  }
}

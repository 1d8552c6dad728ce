import type { ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import { DETACHED } from '#balancer/contract/detached.js'
import type { RequestCounts } from '../ipc/vitals.js'

/** Counts the requests of one worker. */
export class RequestCount {
  #inFlight = 0
  #upgraded = 0
  #requests = 0

  get counts(): RequestCounts {
    return { inFlight: this.#inFlight, upgraded: this.#upgraded, requests: this.#requests }
  }

  /** The request is in flight until its answer is closed, or taken from the app. */
  begin(answer: ServerResponse): void {
    this.#requests += 1
    this.#inFlight += 1
    const over = (): void => {
      answer.off('close', over).off(DETACHED, over)
      this.#inFlight -= 1
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

import type { Order } from '../ipc/messages.js'
import type { Parent } from '../ipc/parent.js'
import { HashQueueFullError, type HashGate } from '../app/accounts/password-hasher.js'

/** The cores of the machine are shared out by the primary: a worker asks before it hashes. */
export class SharedHashGate implements HashGate {
  readonly #waiting = new Map<number, { granted: () => void; refused: () => void }>()
  #nextTicket = 1

  constructor(private readonly parent: Parent) {
    parent.on('order', order => this.#answered(order))
  }

  async enter(signal?: AbortSignal): Promise<() => void> {
    signal?.throwIfAborted()
    const ticket = this.#nextTicket++
    const leave = (): void => this.parent.report({ type: 'hash-done', ticket })
    let giveUp = (): void => undefined
    const entered = new Promise<() => void>((resolve, reject) => {
      this.#waiting.set(ticket, { granted: () => resolve(leave), refused: () => reject(new HashQueueFullError()) })
      giveUp = () => {
        if (!this.#waiting.delete(ticket)) return
        // A grant may be on its way: this gives it back, too.
        leave()
        reject(signal?.reason as Error)
      }
      this.parent.report({ type: 'hash-wanted', ticket })
    })
    signal?.addEventListener('abort', giveUp)
    return entered.finally(() => signal?.removeEventListener('abort', giveUp))
  }

  #answered(order: Order): void {
    if (order.type !== 'hash-granted' && order.type !== 'hash-refused') return
    const waiting = this.#waiting.get(order.ticket)
    this.#waiting.delete(order.ticket)
    if (order.type === 'hash-granted') waiting?.granted()
    else waiting?.refused()
  }
}

import { clientKey } from '#balancer/contract/client-key.js'
import { mayTake } from '#balancer/contract/dynamic-threshold.js'

/** Counts what each client holds of something that all share. A client gets at most as much as is left free. */
export class ClientShares {
  readonly #held = new Map<string, number>()
  #total = 0

  constructor(private readonly capacity: number) {}

  mayTake(address: string): boolean {
    return mayTake(this.#held.get(clientKey(address)) ?? 0, 1, this.capacity - this.#total)
  }

  take(address: string): void {
    const key = clientKey(address)
    this.#held.set(key, (this.#held.get(key) ?? 0) + 1)
    this.#total += 1
  }

  release(address: string): void {
    const key = clientKey(address)
    const held = this.#held.get(key) ?? 0
    if (held > 1) this.#held.set(key, held - 1)
    else this.#held.delete(key)
    this.#total -= 1
  }
}

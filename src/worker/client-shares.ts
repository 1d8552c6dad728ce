import { clientKey } from '#balancer/contract/client-key.js'
import { giverTo, mayTake } from '#balancer/contract/dynamic-threshold.js'

/** Counts what each client holds of something that all share. A client gets at most as much as is left free. */
export class ClientShares<Item> {
  /** By client, the oldest first. */
  readonly #held = new Map<string, Set<Item>>()
  #total = 0

  constructor(private readonly capacity: number) {}

  mayTake(address: string): boolean {
    return mayTake(this.#amountOf(address), 1, this.capacity - this.#total)
  }

  /** When nothing is left for a client: what is to be taken from another one, so that there is something for this one. */
  giverTo(address: string): Item | undefined {
    if (this.#total < this.capacity) return undefined
    const holders = [...this.#held.values()].map(items => [items, items.size] as const)
    const [oldest] = giverTo(this.#amountOf(address), holders) ?? []
    return oldest
  }

  take(address: string, item: Item): void {
    const key = clientKey(address)
    const items = this.#held.get(key) ?? new Set()
    if (items.has(item)) return
    this.#held.set(key, items.add(item))
    this.#total += 1
  }

  release(address: string, item: Item): void {
    const key = clientKey(address)
    const items = this.#held.get(key)
    if (items?.delete(item) !== true) return
    if (items.size === 0) this.#held.delete(key)
    this.#total -= 1
  }

  #amountOf(address: string): number {
    return this.#held.get(clientKey(address))?.size ?? 0
  }
}

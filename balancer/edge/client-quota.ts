import net from 'node:net'

/** Limits how many of something each client may have open. */
export class ClientQuota {
  readonly #open = new Map<string, number>()
  #limit: number

  /** @param max over all processes that share the clients */
  constructor(private readonly max: number) {
    this.#limit = max
  }

  /** So many processes share the clients, each of which sees a part of what a client has open. */
  shareAmong(processes: number): void {
    this.#limit = Math.ceil(this.max / Math.max(1, processes))
  }

  /** Takes one place of the client at this address, if there is one left. */
  take(address: string): boolean {
    const key = quotaKey(address)
    const open = this.#open.get(key) ?? 0
    if (open >= this.#limit) return false
    this.#open.set(key, open + 1)
    return true
  }

  release(address: string): void {
    const key = quotaKey(address)
    const open = this.#open.get(key) ?? 0
    if (open > 1) this.#open.set(key, open - 1)
    else this.#open.delete(key)
  }
}

const GROUPS_OF_PREFIX = 4
const GROUPS = 8

/** A client is an IPv4 address or an IPv6 /64: customers get at least a /64 and may use any address in it. */
export function quotaKey(address: string): string {
  if (!net.isIPv6(address)) return address
  const [head = '', tail] = address.split('::')
  const before = head === '' ? [] : head.split(':')
  const after = tail === undefined || tail === '' ? [] : tail.split(':')
  const zeros = Array<string>(Math.max(0, GROUPS - before.length - after.length)).fill('0')
  const groups = [...before, ...zeros, ...after].slice(0, GROUPS_OF_PREFIX)
  return groups.map(group => parseInt(group, 16).toString(16)).join(':') + '::/64'
}

import net from 'node:net'

/** Counts what each client has open, and knows when it is enough. */
export class ClientQuota {
  readonly #open = new Map<string, number>()

  constructor(private readonly max: number) {}

  /** Takes one of the places of the client at this address, if there is one left. */
  take(address: string): boolean {
    const client = clientOf(address)
    const open = this.#open.get(client) ?? 0
    if (open >= this.max) return false
    this.#open.set(client, open + 1)
    return true
  }

  giveBack(address: string): void {
    const client = clientOf(address)
    const open = this.#open.get(client) ?? 0
    if (open > 1) this.#open.set(client, open - 1)
    else this.#open.delete(client)
  }
}

const GROUPS_OF_PREFIX = 4
const GROUPS = 8

/** An IPv6 customer gets a /64 at least, and any address in it is theirs. */
export function clientOf(address: string): string {
  if (!net.isIPv6(address)) return address
  const [head = '', tail] = address.split('::')
  const before = head === '' ? [] : head.split(':')
  const after = tail === undefined || tail === '' ? [] : tail.split(':')
  const zeros = Array<string>(Math.max(0, GROUPS - before.length - after.length)).fill('0')
  const groups = [...before, ...zeros, ...after].slice(0, GROUPS_OF_PREFIX)
  return groups.map(group => parseInt(group, 16).toString(16)).join(':') + '::/64'
}

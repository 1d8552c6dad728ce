import { BlockList, isIP } from 'node:net'
import type { TrustProxy } from '../options.js'

/** The proxies in front whose word about the client is taken. */
export class TrustedProxies {
  readonly #hops: number | undefined
  readonly #addresses = new BlockList()

  /** Throws a `RangeError` for an address or range that is none. */
  constructor(trust: TrustProxy) {
    if (typeof trust === 'number') this.#hops = trust
    else for (const range of trust) addRange(this.#addresses, range)
  }

  /** Nobody is trusted. */
  get none(): boolean {
    return this.#hops === 0
  }

  /** Whether a peer is one of them. With a number of hops every peer is. */
  includes(address: string): boolean {
    if (this.#hops !== undefined) return this.#hops > 0
    const version = isIP(address)
    return version !== 0 && this.#addresses.check(address, version === 6 ? 'ipv6' : 'ipv4')
  }

  /**
   * What of X-Forwarded-For was written by trusted proxies, the client's address first.
   * @param entries the client's side first
   */
  claimsIn(entries: readonly string[]): readonly string[] {
    const credible = entries.slice(entries.findLastIndex(address => isIP(address) === 0) + 1)
    if (this.#hops !== undefined) return credible.slice(-this.#hops)
    return credible.slice(
      Math.max(
        0,
        credible.findLastIndex(address => !this.includes(address)),
      ),
    )
  }
}

function addRange(list: BlockList, range: string): void {
  const [address = '', prefix] = range.split('/')
  const family = isIP(address) === 6 ? 'ipv6' : 'ipv4'
  const isPrefix = prefix === undefined || /^\d{1,3}$/.test(prefix)
  try {
    if (isIP(address) === 0 || !isPrefix) throw new RangeError('no address')
    if (prefix === undefined) list.addAddress(address, family)
    else list.addSubnet(address, Number(prefix), family)
  } catch (cause) {
    throw new RangeError(`not an address or range: ${range}`, { cause })
  }
}

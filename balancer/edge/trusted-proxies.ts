import { isIP } from 'node:net'
import { AddressRanges } from '../contract/address-ranges.js'
import type { TrustProxy } from '../options.js'
import { plainAddress } from './plain-address.js'

/** The proxies in front whose headers about the client are trusted. */
export class TrustedProxies {
  readonly #hops: number | undefined
  readonly #addresses: AddressRanges

  /** Throws a `RangeError` for a text that is neither an address nor a range. */
  constructor(trust: TrustProxy) {
    if (typeof trust === 'number') this.#hops = trust
    this.#addresses = new AddressRanges(typeof trust === 'number' ? [] : trust)
  }

  /** Nobody is trusted. */
  get none(): boolean {
    return this.#hops === 0
  }

  /** Whether a peer is one of them. With a number of hops every peer is. */
  includes(address: string): boolean {
    if (this.#hops !== undefined) return this.#hops > 0
    return this.#addresses.includes(address)
  }

  /**
   * The part of X-Forwarded-For that trusted proxies wrote, the client's address first. No more is read than that: the
   * client may have sent thousands of entries.
   * @param entries the client's side first
   */
  claimsIn(entries: readonly string[]): readonly string[] {
    const claims: string[] = []
    for (let i = entries.length - 1; i >= 0 && claims.length !== this.#hops; i -= 1) {
      const address = plainAddress(entries[i] as string)
      if (isIP(address) === 0) break
      claims.push(address)
      if (this.#hops === undefined && !this.includes(address)) break
    }
    return claims.reverse()
  }
}

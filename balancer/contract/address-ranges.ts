import { BlockList, isIP } from 'node:net'

/** Addresses, and ranges of them (CIDR), of both families. */
export class AddressRanges {
  readonly #list = new BlockList()

  /** Throws a `RangeError` for a text that is neither an address nor a range. */
  constructor(ranges: readonly string[]) {
    for (const range of ranges) addRange(this.#list, range)
  }

  includes(address: string): boolean {
    const version = isIP(address)
    return version !== 0 && this.#list.check(address, version === 6 ? 'ipv6' : 'ipv4')
  }
}

function addRange(list: BlockList, range: string): void {
  const [address = '', prefix, ...more] = range.split('/')
  const family = isIP(address) === 6 ? 'ipv6' : 'ipv4'
  const isPrefix = prefix === undefined || /^\d{1,3}$/.test(prefix)
  try {
    if (isIP(address) === 0 || !isPrefix || more.length > 0) throw new RangeError('no address')
    if (prefix === undefined) list.addAddress(address, family)
    else list.addSubnet(address, Number(prefix), family)
  } catch (cause) {
    throw new RangeError(`not an address or range: ${range}`, { cause })
  }
}

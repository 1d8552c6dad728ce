import net from 'node:net'

const GROUPS_OF_PREFIX = 4
const GROUPS = 8

/**
 * A client is an IPv4 address, however it is written, or an IPv6 /64: customers get at least a /64 and may use any
 * address in it.
 */
export function clientKey(address: string): string {
  if (!net.isIPv6(address)) return address
  const groups = groupsOf(address)
  const [high = 0, low = 0] = groups.slice(-2)
  // RFC 4291, section 2.5.5.2. These have one /64 in common, but are not one client.
  if (groups.slice(0, -2).join() === MAPPED) return [high >> 8, high & 0xff, low >> 8, low & 0xff].join('.')
  const prefix = groups.slice(0, GROUPS_OF_PREFIX).map(group => group.toString(16))
  return prefix.join(':') + '::/64'
}

const MAPPED = [0, 0, 0, 0, 0, 0xffff].join()

function groupsOf(address: string): number[] {
  const [head = '', tail] = (address.split('%', 1)[0] ?? '').split('::')
  const before = partsOf(head)
  const after = partsOf(tail)
  const zeros = Array<number>(Math.max(0, GROUPS - before.length - after.length)).fill(0)
  return [...before, ...zeros, ...after]
}

/** The last part of an address may be written as IPv4, which is two groups. */
function partsOf(text = ''): number[] {
  if (text === '') return []
  return text.split(':').flatMap(part => {
    if (!part.includes('.')) return [parseInt(part, 16)]
    const [a = 0, b = 0, c = 0, d = 0] = part.split('.').map(Number)
    return [(a << 8) | b, (c << 8) | d]
  })
}

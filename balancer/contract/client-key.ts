import net from 'node:net'

const GROUPS_OF_PREFIX = 4
const GROUPS = 8

/** A client is an IPv4 address or an IPv6 /64: customers get at least a /64 and may use any address in it. */
export function clientKey(address: string): string {
  if (!net.isIPv6(address)) return address
  const [head = '', tail] = address.split('::')
  const before = head === '' ? [] : head.split(':')
  const after = tail === undefined || tail === '' ? [] : tail.split(':')
  const zeros = Array<string>(Math.max(0, GROUPS - before.length - after.length)).fill('0')
  const groups = [...before, ...zeros, ...after].slice(0, GROUPS_OF_PREFIX)
  return groups.map(group => parseInt(group, 16).toString(16)).join(':') + '::/64'
}

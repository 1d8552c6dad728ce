/** The address without brackets and without the port that some proxies add. One that is mapped into IPv6 is IPv4. */
export function plainAddress(written: string): string {
  const address = WITH_PORT.exec(written)?.slice(1).find(Boolean) ?? written
  return MAPPED.test(address) ? address.slice(MAPPED_LENGTH) : address
}

const WITH_PORT = /^(?:\[([^\]]+)\](?::\d+)?|([\d.]+):\d+)$/
const MAPPED = /^::ffff:[\d.]+$/i
const MAPPED_LENGTH = '::ffff:'.length

import type { IncomingMessage } from 'node:http'

/**
 * The head of a request as it would be without the upgrade that it offers, for a server that leaves the offer and
 * answers in HTTP/1.1 (RFC 9110, section 7.8).
 */
export function headWithoutUpgrade({ method, url, httpVersion, rawHeaders }: IncomingMessage): Buffer {
  let head = `${method ?? ''} ${url ?? ''} HTTP/${httpVersion}\r\n`
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i] as string
    const value = rawHeaders[i + 1] as string
    if (OF_THE_OFFER.has(name.toLowerCase())) continue
    head += `${name}: ${name.toLowerCase() === 'connection' ? withoutOffer(value) : value}\r\n`
  }
  return Buffer.from(`${head}\r\n`, 'latin1')
}

const OF_THE_OFFER = new Set(['upgrade', 'http2-settings'])

function withoutOffer(connection: string): string {
  const names = connection.split(',').map(name => name.trim())
  return names.filter(name => !OF_THE_OFFER.has(name.toLowerCase())).join(', ')
}

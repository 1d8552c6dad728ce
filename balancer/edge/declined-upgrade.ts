import type { IncomingMessage } from 'node:http'

/**
 * The head of a request without its offer of an upgrade, for a server that ignores the offer and answers in HTTP/1.1
 * (RFC 9110, section 7.8).
 */
export function headWithoutUpgrade({ method, url, httpVersion, rawHeaders }: IncomingMessage): Buffer {
  let head = `${method ?? ''} ${url ?? ''} HTTP/${httpVersion}\r\n`
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i] as string
    const value = rawHeaders[i + 1] as string
    if (OFFER_HEADERS.has(name.toLowerCase())) continue
    head += `${name}: ${name.toLowerCase() === 'connection' ? withoutOffer(value) : value}\r\n`
  }
  return Buffer.from(`${head}\r\n`, 'latin1')
}

const OFFER_HEADERS = new Set(['upgrade', 'http2-settings'])

function withoutOffer(connection: string): string {
  const names = connection.split(',').map(name => name.trim())
  return names.filter(name => !OFFER_HEADERS.has(name.toLowerCase())).join(', ')
}

import { ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'

/** Only balancers of this instance are served, and a balancer always sends an envelope. */
export function refuseUnknown(answer: ServerResponse | Duplex): void {
  if (answer instanceof ServerResponse) {
    answer.writeHead(403, { connection: 'close', 'content-type': 'text/plain' }).end(UNKNOWN_SENDER)
  } else {
    answer.on('error', () => answer.destroy())
    answer.end(`HTTP/1.1 403 Forbidden\r\nConnection: close\r\nContent-Type: text/plain\r\n\r\n${UNKNOWN_SENDER}`)
  }
}

const UNKNOWN_SENDER = 'The sender of this request is not known.\n'

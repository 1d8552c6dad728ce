import type { IncomingMessage } from 'node:http'
import type { ClientIdentity } from '../contract/client-envelope.js'

/** A trusted proxy has named the request already. */
export function givenRequestId({ headers }: IncomingMessage, { forwardedFor }: ClientIdentity): string | undefined {
  const given = forwardedFor === undefined ? undefined : headers['x-request-id']
  return typeof given === 'string' && REQUEST_ID.test(given) ? given : undefined
}

const REQUEST_ID = /^[!-~]{1,200}$/

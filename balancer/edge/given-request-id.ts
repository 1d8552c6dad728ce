import type { IncomingMessage } from 'node:http'
import type { ClientIdentity } from '../contract/client-envelope.js'

/** The id that a trusted proxy has given the request, if it is valid. */
export function givenRequestId({ headers }: IncomingMessage, { forwardedFor }: ClientIdentity): string | undefined {
  const given = forwardedFor === undefined ? undefined : headers['x-request-id']
  return typeof given === 'string' && REQUEST_ID.test(given) ? given : undefined
}

const REQUEST_ID = /^[!-~]{1,200}$/

import { randomBytes } from 'node:crypto'

/** Where Socket.IO serves unless an app says otherwise. */
const SOCKET_IO_PATH = '/socket.io/'

/** A dot separates the parts; it needs no escape in a query. */
const SESSION_ID = /[?&]sid=([\w-]{1,64})\.[\w-]{20}(?:&|$)/

/**
 * An id for a session that lives in one worker's memory. It begins with the id of the worker. A balancer reads there
 * where a request of the session has to go, without a table or a cookie.
 */
export function newSessionId(workerId: string): string {
  return `${workerId}.${randomBytes(15).toString('base64url')}`
}

/** The worker named by the session id in a URL's query (`sid`); undefined without such an id. */
export function workerOfSession(url: string | undefined): string | undefined {
  // Most requests have none, and this is asked of every one. An app may call something of its own "sid".
  return url?.startsWith(SOCKET_IO_PATH) === true ? SESSION_ID.exec(url)?.[1] : undefined
}

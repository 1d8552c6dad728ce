import { randomBytes } from 'node:crypto'

/** Where Socket.IO serves unless an app says otherwise. */
const SOCKET_IO_PATH = '/socket.io/'

/** A dot separates the parts; it needs no escape in a query. */
const SESSION_ID = /[?&]sid=([\w-]{1,64})\.[\w-]{20}(?:&|$)/

/**
 * An id for a session in the memory of one worker. It begins with the id of the worker, which tells a balancer
 * where to send requests of the session, without a table or a cookie.
 */
export function newSessionId(workerId: string): string {
  return `${workerId}.${randomBytes(15).toString('base64url')}`
}

/** The worker named by the session id in a URL's query (`sid`); undefined without such an id. */
export function workerOfSession(url: string | undefined): string | undefined {
  // This runs for every request, and most of them have no such id. An app may use `sid` for something of its own.
  return url?.startsWith(SOCKET_IO_PATH) === true ? SESSION_ID.exec(url)?.[1] : undefined
}

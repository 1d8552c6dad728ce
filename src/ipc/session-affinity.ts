import { randomBytes } from 'node:crypto'

/** Dots are what the parts are told apart by; they need no escape in a query. */
const SESSION_ID = /[?&]sid=([\w-]{1,64})\.[\w-]{20}(?:&|$)/

/**
 * An id for a session that lives in one worker's memory. It begins with the worker's own: whoever forwards a request
 * of that session reads there where it has to go, without a table and without a cookie.
 */
export function newSessionId(workerId: string): string {
  return `${workerId}.${randomBytes(15).toString('base64url')}`
}

/** The worker named by the session id in a URL's query (`sid`); undefined when there is none of ours. */
export function workerOfSession(url: string | undefined): string | undefined {
  // Most requests have none, and this is asked of every one.
  return url?.includes('sid=') === true ? SESSION_ID.exec(url)?.[1] : undefined
}

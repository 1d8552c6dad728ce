import type { IncomingMessage } from 'node:http'
import type { ClientAccount } from '../ledger/client-account.js'

/** A request or a handshake in flight at a target. */
export interface InFlight {
  /** The account of its client. */
  readonly account?: ClientAccount
  /** Its answer has begun, and streams. */
  readonly answering: boolean
  /** Its answer goes out on the connection that it came on. */
  readonly request?: { readonly socket: { readonly bytesWritten: number } }
  /** Its answer has begun, so it no longer waits for one. Repeated calls do nothing. */
  noteAnswering(): void
  /** The target was found hung or gone, or was ejected. */
  targetWentDown(): void
  /** The target will not finish this. */
  targetBrokeOff(): void
  /** Ends it with an error, because this process ends. Returns the request if it had no answer yet. */
  abandon(): IncomingMessage | undefined
  /** Ends a poll that waits, so that its client opens a session elsewhere. Returns false for anything else. */
  endPoll(): boolean
}

/** Takes a place and does nothing else. */
export const NOTHING: InFlight = {
  answering: false,
  noteAnswering: () => undefined,
  targetWentDown: () => undefined,
  targetBrokeOff: () => undefined,
  abandon: () => undefined,
  endPoll: () => false,
}

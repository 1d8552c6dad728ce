import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import type { ClientIdentity } from '../contract/client-envelope.js'
import type { AnswerHead } from './answer.js'

/** How a target is reached: over a socket, or by a call into the same process. */
export interface Transport {
  /** Carries a request to the target and reports the outcome to the request. */
  send(request: ForwardedRequest, places: Places): void
  /** Carries the handshake of an upgrade to the target and reports the outcome to the handshake. */
  upgrade(upgrade: ForwardedUpgrade): void
  /**
   * Calls back when the event loop of the target has come to it, or when that cannot be found out any more. Returns false
   * if it cannot be found out now.
   */
  ping(answered: () => void): boolean
  /** Closes the connections that are not in use. */
  close(): void
}

/** The places at a target that requests in flight take up. */
export interface Places {
  /** Counts one more request in flight until the next turn of the event loop. */
  holdUntilNextTurn(): void
}

/** One try at one target. */
export interface Attempt {
  /** There is no connection yet, or there will be none: the target has received nothing of the request. */
  readonly isConnecting?: boolean
  /** Ends the try. An aborted try reports nothing. */
  abort(): void
}

/**
 * - `connect`: no connection was made, so nothing was sent
 * - `reset`: the connection broke after the request, or a part of it, was sent
 */
export type AttemptFailure = 'connect' | 'reset'

/**
 * - `none`: the request has no body
 * - `held`: the body was read into memory and can be sent again
 * - `stream`: the body passes through as it arrives, once
 */
export type RequestBody = { kind: 'none' } | { kind: 'held'; bytes: Buffer } | { kind: 'stream' }

/** Takes the body of an answer that is to be kept, as it passes. */
export interface AnswerCopy {
  add(part: Buffer): void
  /** It is whole. */
  end(): void
}

/** An answer of another release. */
export interface KeptAnswer {
  readonly head: AnswerHead
  readonly body: Buffer
}

interface Forwarded {
  readonly request: IncomingMessage
  readonly client: ClientIdentity
  readonly requestId: string
  attemptBegun(attempt: Attempt): void
}

/** A request as a transport sees it, and the events that the transport reports back. */
export interface ForwardedRequest extends Forwarded {
  readonly response: ServerResponse
  readonly body: RequestBody
  /** The place of its client. */
  readonly clientPlace: { usedSince(now: number): void }
  /** The client waits for "100 Continue" before it sends the body. */
  readonly continueWanted: boolean
  /** The connection closes after this answer. */
  readonly closing: boolean
  /** Cookies that the answer sets beside the app's own. */
  readonly addedCookies: readonly string[] | undefined
  /** The answer opens a session of Engine.IO over polling. */
  readonly opensSession: boolean
  /** The body of such an answer with the session's name in it. */
  nameSession(body: string): string
  /** Where an answer 200 with this head is kept; undefined if it is not. */
  copyOf(answer: AnswerHead): AnswerCopy | undefined
  /** The answer that is given in place of a 404; undefined for none. */
  keptAnswer(): KeptAnswer | undefined
  /** No answer will come of `attempt`. Ignored when that is no longer the current try. */
  attemptFailed(attempt: Attempt, failure: AttemptFailure): void
  /** The body has started to flow to the target. */
  bodyBegun(): void
  /** The target has the whole request. */
  bodySent(): void
  /** The first part of the answer has been passed to the client. */
  answerBegun(): void
  answerComplete(): void
  /** The answer broke off after it had begun. */
  answerBroken(): void
  /** From now on the answer goes to `response`. */
  replaceResponse(response: ServerResponse): void
}

/** The handshake of an upgrade as a transport sees it, and the events that the transport reports back. */
export interface ForwardedUpgrade extends Forwarded {
  /** The connection to the client. */
  readonly socket: Duplex
  /** Bytes that the client sent after the head of its request. */
  readonly head: Buffer
  attemptFailed(failure: AttemptFailure): void
  /** The target speaks the new protocol from here on. */
  upgraded(connection: UpgradedConnection): void
  /** The target answered, but not with an upgrade. */
  refused(): void
  /** The target does not upgrade and wants the request as an ordinary one. */
  decline(): void
}

/** An upgraded connection as its target sees it. */
export interface UpgradedConnection {
  /** Closes it with WebSocket code 1012 (service restart) at the next frame boundary. */
  closeForRestart(): void
}

import type { IncomingHttpHeaders } from 'node:http'
import type { Readable } from 'node:stream'

/** The headers of an answer that say how it is framed and carried. Only these are looked up by their names. */
export type FramingHeaders = Pick<
  IncomingHttpHeaders,
  'connection' | 'content-encoding' | 'content-length' | 'trailer' | 'transfer-encoding'
>

/** The head of an answer, as Node's `IncomingMessage` gives it. */
export interface AnswerHead {
  readonly statusCode?: number | undefined
  readonly statusMessage?: string | undefined
  readonly headers: FramingHeaders
  /** Names and values in turn. */
  readonly rawHeaders: string[]
  /** Names and values in turn, once the body has been read. */
  readonly rawTrailers: string[]
}

/** An answer whose body is read as it arrives. It closes without an end when it breaks off. */
export interface Answer extends AnswerHead, Readable {
  /** All of it has arrived, though not all may have been read. */
  readonly complete: boolean
}

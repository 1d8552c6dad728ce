import type { ServerResponse } from 'node:http'
import type { Answer } from './answer.js'
import { passTrailers } from './trailers.js'
import type { ForwardedRequest } from './transport.js'

interface Streaming extends ServerResponse {
  [passed]?: Answer | undefined
}

/** The answer that a response passes on. */
const passed = Symbol('passed')

/** The bytes of an answer that have come from its target, and that its client's connection has not taken. */
export function unpassedOf(response: ServerResponse | undefined): number {
  const answer = (response as Streaming | undefined)?.[passed]
  return answer === undefined ? 0 : answer.readableLength
}

/** `sent` and `closed` are both called, in any order, and `sent` perhaps twice. */
export interface AnswerStreamEvents {
  /** A piece of the body was passed on. */
  passed(bytes: number): void
  /** The answer has to be ended, with its last piece if that has not been passed on. */
  end(last?: Buffer): void
  /** The last of the answer was given to the client's connection. */
  sent(): void
  /** No more of it will come. Without `sent` before, it broke off. */
  closed(): void
}

/**
 * Passes the body of an answer on as it arrives, no faster than its client reads.
 * @param begun bytes of the body that were passed on already
 */
export function streamAnswer(
  answer: Answer,
  forwarded: ForwardedRequest,
  begun: number,
  events: AnswerStreamEvents,
): void {
  const response: Streaming = forwarded.response
  response[passed] = answer
  const length = answer.headers['content-length']
  let left = length === undefined ? Infinity : Number(length) - begun
  let isEnded = false
  const onDrain = (): void => void answer.resume()
  answer.on('data', (chunk: Buffer) => {
    left -= chunk.length
    events.passed(chunk.length)
    if (left > 0) {
      if (!response.write(chunk)) answer.pause()
      return
    }
    // Sends the last piece and the end in one write.
    isEnded = true
    events.end(chunk)
    events.sent()
  })
  response.on('drain', onDrain)
  answer.once('end', () => {
    response.off('drain', onDrain)
    if (!isEnded) {
      if (answer.rawTrailers.length > 0 && !response.writableEnded) passTrailers(answer, forwarded)
      if (!response.writableEnded) events.end()
    }
    events.sent()
  })
  answer.once('error', () => undefined)
  answer.once('close', () => events.closed())
}

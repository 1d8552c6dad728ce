import { Readable } from 'node:stream'
import type { Answer, AnswerHead, FramingHeaders } from './answer.js'

/** The body of an answer that does not come in one piece with its head. */
export class LaneAnswer extends Readable implements Answer {
  readonly statusCode: number | undefined
  readonly statusMessage: string | undefined
  readonly headers: FramingHeaders
  readonly rawHeaders: string[]
  rawTrailers: string[] = []
  complete = false

  /** @param flow called with whether more can be taken now */
  constructor(
    head: AnswerHead,
    private readonly flow: (more: boolean) => void,
  ) {
    super()
    this.statusCode = head.statusCode
    this.statusMessage = head.statusMessage
    this.headers = head.headers
    this.rawHeaders = head.rawHeaders
  }

  override _read(): void {
    this.flow(true)
  }

  add(piece: Buffer): void {
    if (!this.push(piece)) this.flow(false)
  }

  /** @param trailers names and values in turn */
  finish(trailers: string[]): void {
    this.complete = true
    this.rawTrailers = trailers
    this.push(null)
  }
}

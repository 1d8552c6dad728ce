import { STATUS_CODES, type IncomingMessage, type ServerResponse } from 'node:http'
import {
  contentTypes,
  type ControlError,
  type DeployEvent,
  type DeployProgress,
  type LogEvent,
  type Problem,
  type Progress,
  type ReloadEvent,
  type StopEvent,
} from './protocol.js'

type LastEvent = Exclude<ReloadEvent | DeployEvent | StopEvent, Progress | DeployProgress | { event: 'failed' }>
type LogLine = Exclude<LogEvent, { event: 'end' | 'failed' }>

/** A client that does not read is not sent more than this at once. */
const MAX_UNREAD_BYTES = 1024 * 1024

/** How long a client that has its answer may continue to send. */
const LAST_SENDING_MS = 5_000

/** The answer to one command: one JSON document, or a stream of events if the client asked for it. */
export class CommandAnswer {
  /** The client asked for events. */
  readonly streams: boolean
  /** The client may still be sending when it is answered. */
  outlastsBody = false
  #over = false

  constructor(
    private readonly request: IncomingMessage,
    private readonly response: ServerResponse,
  ) {
    this.streams = request.headers.accept?.includes(contentTypes.events) === true
    // The client may leave before its answer; the command goes on.
    response.on('error', () => undefined)
  }

  /** Answers with a document, even if the client asked for events. */
  document(value: object, status = 200): void {
    this.#end(status, contentTypes.json, value)
  }

  /** Sends the headers at once, to show that the command has begun. */
  begin(): void {
    if (!this.streams) return
    this.response.writeHead(200, { 'content-type': contentTypes.events, 'cache-control': 'no-store' })
    this.response.flushHeaders()
  }

  progress(event: Progress | DeployProgress): void {
    if (this.streams) this.#write(event)
  }

  /** Sends a line of the log. @returns false when the client reads too slowly, and nothing was sent */
  line(event: LogLine): boolean {
    if (this.response.writableLength > MAX_UNREAD_BYTES) return false
    this.#write(event)
    return true
  }

  /** The log is over. */
  endOfLog(): void {
    this.#last({ event: 'end' })
  }

  /** Called when the client has left, or has its whole answer. */
  whenClosed(listener: () => void): void {
    this.response.once('close', listener)
  }

  /** The command has succeeded. @param status of the document, where no events were asked for */
  done({ event, ...result }: LastEvent, status = 200): void {
    if (this.response.headersSent) this.#last({ event, ...result })
    else this.#end(status, contentTypes.json, result)
  }

  failed(error: ControlError, headers: Record<string, string> = {}): void {
    const { code, message, lastLines, report } = error
    const printed = { ...(lastLines && { lastLines }), ...(report && { report }) }
    if (this.response.headersSent) this.#last({ event: 'failed', error: { code, message, ...printed } })
    else this.#end(error.status, contentTypes.problem, problemOf(error), headers)
  }

  #write(event: object): void {
    if (this.#over || this.response.destroyed) return
    this.response.write(`${JSON.stringify(event)}\n`)
  }

  #last(event: object): void {
    this.#write(event)
    this.#over = true
    this.#finish()
  }

  #end(status: number, type: string, value: object, headers: Record<string, string> = {}): void {
    if (this.#over) return
    this.#over = true
    const body = `${JSON.stringify(value)}\n`
    const length = Buffer.byteLength(body)
    this.response.writeHead(status, {
      'content-type': type,
      'content-length': length,
      'cache-control': 'no-store',
      ...headers,
    })
    this.response.write(body)
    this.#finish()
  }

  /** A client that is still sending loses the answer when the connection closes over what it has sent. */
  #finish(): void {
    const { request, response } = this
    if (!this.outlastsBody || request.complete || request.destroyed) return void response.end()
    const end = (): void => void response.end()
    const timer = setTimeout(end, LAST_SENDING_MS).unref()
    request.once('close', () => clearTimeout(timer)).once('end', end)
    request.resume()
  }
}

export function problemOf({ code, status, message, lastLines, report }: ControlError): Problem {
  const printed = { ...(lastLines && { lastLines: [...lastLines] }), ...(report && { report }) }
  return { type: 'about:blank', title: STATUS_CODES[status] ?? '', status, code, detail: message, ...printed }
}

import type { FramingHeaders } from './answer.js'
import { responseHeaders } from './forwarded-headers.js'
import type { ForwardedRequest } from './transport.js'

/** An answer like 103 that comes before the real one, as Node tells of it. */
export interface InterimAnswer {
  statusCode: number
  statusMessage: string
  headers: FramingHeaders
  rawHeaders: string[]
}

/** Passes it on. HTTP/1.0 has none (RFC 9110, section 15.2), and 100 is passed on with the body that it asks for. */
export function passInterim(interim: InterimAnswer, { request, response }: ForwardedRequest): void {
  const { statusCode, statusMessage, rawHeaders, headers } = interim
  if (statusCode === CONTINUE || response.headersSent || request.httpVersionMinor === 0) return
  const passed = responseHeaders(rawHeaders, headers.connection, undefined)
  let head = `HTTP/1.1 ${statusCode} ${statusMessage}\r\n`
  for (let i = 0; i < passed.length; i += 2) head += `${passed[i] ?? ''}: ${passed[i + 1] ?? ''}\r\n`
  response.socket?.write(`${head}\r\n`, 'latin1')
}

const CONTINUE = 100

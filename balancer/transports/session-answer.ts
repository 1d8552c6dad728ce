import type { OutgoingHttpHeader, OutgoingHttpHeaders, ServerResponse } from 'node:http'
import type { AnswerHead } from './answer.js'

type Rename = (body: string) => string

/**
 * The body of an answer that opens a session, with the session's name in it. Changes the answer's Content-Length with it.
 * @param body undefined when there is none
 */
export function namedAnswer(answer: AnswerHead, body: Buffer | null, rename: Rename): Buffer | null {
  if (body === null || answer.statusCode !== 200 || answer.headers['content-encoding'] !== undefined) return body
  const named = Buffer.from(rename(body.toString('latin1')), 'latin1')
  setLength(answer.rawHeaders, named.length)
  return named
}

/** Puts the name of the session into the answer of a local app that opens it. Engine.IO writes such an answer in one piece. */
export function nameSessionIn(response: ServerResponse, rename: Rename): void {
  let head: unknown[] | undefined
  const restore = (): void => {
    for (const method of ['writeHead', 'write', 'end']) Reflect.deleteProperty(response, method)
  }
  const writeHead = (...args: unknown[]): ServerResponse => {
    head = args
    return response
  }
  const write = (...args: unknown[]): boolean => {
    restore()
    if (head !== undefined) call(response, 'writeHead', head)
    return call(response, 'write', args) as boolean
  }
  const end = (...[chunk, ...rest]: unknown[]): ServerResponse => {
    restore()
    const isText = typeof chunk === 'string' || Buffer.isBuffer(chunk)
    const body = isText && isPlain(response, head) ? Buffer.from(rename(chunk.toString('latin1')), 'latin1') : chunk
    if (head !== undefined) call(response, 'writeHead', Buffer.isBuffer(body) ? withLength(head, body.length) : head)
    return call(response, 'end', [body, ...rest]) as ServerResponse
  }
  Object.assign(response, { writeHead, write, end })
}

function isPlain(response: ServerResponse, head: unknown[] | undefined): boolean {
  return (head?.[0] ?? response.statusCode) === 200 && !response.hasHeader('content-encoding')
}

function withLength(head: unknown[], length: number): unknown[] {
  return head.map(part => {
    if (Array.isArray(part)) return setLength([...(part as OutgoingHttpHeader[])], length)
    if (typeof part === 'object' && part !== null) {
      const headers = part as OutgoingHttpHeaders
      for (const name in headers) if (name.toLowerCase() === 'content-length') return { ...headers, [name]: length }
    }
    return part
  })
}

/** @param headers names and values in turn */
function setLength(headers: OutgoingHttpHeader[], length: number): OutgoingHttpHeader[] {
  for (let i = 0; i < headers.length; i += 2) {
    if (String(headers[i]).toLowerCase() === 'content-length') headers[i + 1] = String(length)
  }
  return headers
}

function call(response: ServerResponse, method: 'writeHead' | 'write' | 'end', args: unknown[]): unknown {
  return (response[method] as (...args: unknown[]) => unknown).apply(response, args)
}

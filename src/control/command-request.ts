import type http from 'node:http'
import type { Readable } from 'node:stream'
import type * as z from 'zod'
import { ControlError, controlErrors } from './protocol.js'

const MAX_BODY_BYTES = 1024
const BODY_TIMEOUT_MS = 5_000

/** An archive may take its time, but no longer than this without a byte. */
const ARCHIVE_IDLE_MS = 60_000

/** The path, without its query. */
export function pathOf({ url = '' }: http.IncomingMessage): string {
  return url.split('?', 1)[0] ?? ''
}

/** @throws {ControlError} `INVALID_QUERY` */
export function queryOf<T>(request: http.IncomingMessage, schema: z.ZodType<T>): T {
  const query = new URLSearchParams(request.url?.slice(pathOf(request).length))
  const found = schema.safeParse(Object.fromEntries(query))
  if (!found.success) throw new ControlError('INVALID_QUERY')
  return found.data
}

/** @throws {ControlError} the body is too long, too late, or not what the schema says */
export async function bodyOf<T>(
  request: http.IncomingMessage,
  schema: z.ZodType<T>,
  maxBytes = MAX_BODY_BYTES,
): Promise<T> {
  return checked(schema, await jsonOf(request, maxBytes))
}

/** As `bodyOf`. A request without a body counts as one with an empty object. */
export async function optionalBodyOf<T>(request: http.IncomingMessage, schema: z.ZodType<T>): Promise<T> {
  return carriesBody(request) ? bodyOf(request, schema) : checked(schema, {})
}

function checked<T>(schema: z.ZodType<T>, body: unknown): T {
  const found = schema.safeParse(body)
  if (found.success) return found.data
  const [{ path, message } = { path: [], message: '' }] = found.error.issues
  throw invalid(path.length === 0 ? message : `${path.join('.')}: ${message}`)
}

/** Names the fault, which has the name of a field and never its value. */
function invalid(fault: string): ControlError {
  return new ControlError('INVALID_BODY', { message: `${controlErrors.INVALID_BODY.detail.slice(0, -1)}: ${fault}` })
}

async function jsonOf(request: http.IncomingMessage, maxBytes: number): Promise<unknown> {
  let text = ''
  const timer = setTimeout(() => request.destroy(new ControlError('COMMAND_TIMEOUT')), BODY_TIMEOUT_MS)
  try {
    for await (const chunk of request.setEncoding('utf8') as AsyncIterable<string>) {
      text += chunk
      if (text.length > maxBytes) throw invalid(`the body is longer than ${maxBytes / 1024} KiB`)
    }
  } finally {
    clearTimeout(timer)
  }
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw new ControlError('INVALID_BODY', { cause })
  }
}

/** The body as it comes. A client that stops sending is cut. */
export function archiveOf(request: http.IncomingMessage): Readable {
  const { socket } = request
  const cut = (): void => void request.destroy(new Error(`nothing came for ${ARCHIVE_IDLE_MS / 1_000} s`))
  socket.setTimeout(ARCHIVE_IDLE_MS, cut)
  request.once('close', () => socket.setTimeout(0)).once('end', () => socket.setTimeout(0))
  return request
}

export function carriesBody({ headers }: http.IncomingMessage): boolean {
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0
}

import type http from 'node:http'
import type { Readable } from 'node:stream'
import { ControlError } from './protocol.js'

const MAX_BODY_BYTES = 1024
const BODY_TIMEOUT_MS = 5_000

/** An archive may take its time, but no longer than this without a byte. */
const ARCHIVE_IDLE_MS = 60_000

/** The path, without its query. */
export function pathOf({ url = '' }: http.IncomingMessage): string {
  return url.split('?', 1)[0] ?? ''
}

export function queryOf(request: http.IncomingMessage): Record<string, string> {
  return Object.fromEntries(new URLSearchParams(request.url?.slice(pathOf(request).length)))
}

/** @throws {ControlError} the body is too long, too late or no JSON */
export async function bodyOf(request: http.IncomingMessage, maxBytes = MAX_BODY_BYTES): Promise<unknown> {
  let text = ''
  const timer = setTimeout(() => request.destroy(new ControlError('COMMAND_TIMEOUT')), BODY_TIMEOUT_MS)
  try {
    for await (const chunk of request.setEncoding('utf8') as AsyncIterable<string>) {
      text += chunk
      if (text.length > maxBytes) throw new ControlError('INVALID_BODY')
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

import type { FramingHeaders } from './answer.js'

/** An answer that is not as RFC 9112 says. */
export class AnswerFault extends Error {
  override readonly name = 'AnswerFault'
}

export interface StatusLine {
  status: number
  message: string
  /** The minor version, HTTP/1.x. */
  minor: number
  /** Where the first header begins. */
  fieldsAt: number
}

export function parseStatusLine(text: string): StatusLine {
  const end = text.indexOf('\r\n')
  const minor = text.charCodeAt(MINOR_AT) - ZERO
  const status = digit(text, STATUS_AT) * 100 + digit(text, STATUS_AT + 1) * 10 + digit(text, STATUS_AT + 2)
  const isOver = end === MESSAGE_AT - 1
  if (
    !text.startsWith('HTTP/1.') ||
    (minor !== 0 && minor !== 1) ||
    text.charCodeAt(STATUS_AT - 1) !== SPACE ||
    !(status >= 100) ||
    (!isOver && (end < MESSAGE_AT || text.charCodeAt(MESSAGE_AT - 1) !== SPACE))
  ) {
    throw new AnswerFault('bad status line')
  }
  for (let at = MESSAGE_AT; at < end; at += 1)
    if (!isOfValue(text.charCodeAt(at))) throw new AnswerFault('bad status line')
  return { status, message: isOver ? '' : text.slice(MESSAGE_AT, end), minor, fieldsAt: end + 2 }
}

function digit(text: string, at: number): number {
  const value = text.charCodeAt(at) - ZERO
  return value >= 0 && value <= 9 ? value : Number.NaN
}

export interface Fields {
  /** Names and values in turn. */
  rawHeaders: string[]
  headers: FramingHeaders
  /** Length of the body; undefined when it is not announced. */
  length: number | undefined
  /** False when the connection ends with this answer. */
  keepsAlive: boolean
  /** How long the connection is kept unused; undefined when it is not announced. */
  idleSeconds: number | undefined
}

/**
 * Parses headers or trailers.
 * @param text whole lines, with the break after the last one
 * @param start where the first line begins
 */
export function parseFields(text: string, start: number): Fields {
  const fields: Fields = { rawHeaders: [], headers: {}, length: undefined, keepsAlive: true, idleSeconds: undefined }
  let at = start
  while (at < text.length) {
    const nameAt = at
    while (IS_OF_NAME[text.charCodeAt(at)] === 1) at += 1
    // Also a line that begins with a space, which once continued the header before (RFC 9112, section 5.2).
    if (at === nameAt || text.charCodeAt(at) !== COLON) throw new AnswerFault('bad header name')
    const name = text.slice(nameAt, at)
    at += 1
    while (isBlank(text.charCodeAt(at))) at += 1
    const valueAt = at
    let valueEnd = at
    for (let code = text.charCodeAt(at); code !== CARRIAGE_RETURN; code = text.charCodeAt(at)) {
      if (!isOfValue(code)) throw new AnswerFault('bad header value')
      at += 1
      if (!isBlank(code)) valueEnd = at
    }
    if (text.charCodeAt(at + 1) !== LINE_FEED) throw new AnswerFault('carriage return without line feed')
    at += 2
    const value = text.slice(valueAt, valueEnd)
    fields.rawHeaders.push(name, value)
    // Comparing lengths is cheaper than lower-casing every name.
    if (FRAMING_LENGTHS[name.length] === 1) note(fields, name.toLowerCase(), value)
  }
  return fields
}

function note(fields: Fields, name: string, value: string): void {
  const { headers } = fields
  switch (name) {
    case 'content-length':
      if (fields.length !== undefined || !LENGTH.test(value)) throw new AnswerFault('bad Content-Length')
      fields.length = Number(value)
      if (!Number.isSafeInteger(fields.length)) throw new AnswerFault('bad Content-Length')
      headers[name] = value
      return
    case 'transfer-encoding':
      // The edge announces no coding to the client, so an answer in another one cannot be passed on.
      if (headers[name] !== undefined || value.toLowerCase() !== 'chunked')
        throw new AnswerFault('bad Transfer-Encoding')
      headers[name] = value
      return
    case 'connection':
      headers[name] = headers[name] === undefined ? value : `${headers[name]}, ${value}`
      if (CLOSE.test(value)) fields.keepsAlive = false
      return
    case 'keep-alive': {
      const seconds = TIMEOUT.exec(value)?.[1]
      if (seconds !== undefined) fields.idleSeconds = Number(seconds)
      return
    }
    case 'trailer':
    case 'content-encoding':
      headers[name] = value
  }
}

const FRAMING_LENGTHS = new Uint8Array(256)
for (const name of ['content-length', 'transfer-encoding', 'connection', 'trailer', 'content-encoding', 'keep-alive']) {
  FRAMING_LENGTHS[name.length] = 1
}

const LENGTH = /^\d{1,16}$/
const TIMEOUT = /(?:^|[ ,])timeout=(\d+)/i
const CLOSE = /(?:^|,)[ \t]*close[ \t]*(?:,|$)/i

/** The characters of a header's name (RFC 9110, section 5.6.2). */
const IS_OF_NAME = new Uint8Array(256)
for (const character of "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ") {
  IS_OF_NAME[character.charCodeAt(0)] = 1
}

/** Visible characters, bytes beyond ASCII, space and tab: no control character, and no end of the text. */
function isOfValue(code: number): boolean {
  return (code >= SPACE && code !== DELETE) || code === TAB
}

function isBlank(code: number): boolean {
  return code === SPACE || code === TAB
}

const ZERO = 0x30
const MINOR_AT = 'HTTP/1.'.length
const STATUS_AT = 'HTTP/1.1 '.length
const MESSAGE_AT = 'HTTP/1.1 200 '.length
const TAB = 0x09
const LINE_FEED = 0x0a
const CARRIAGE_RETURN = 0x0d
const SPACE = 0x20
const COLON = 0x3a
const DELETE = 0x7f

import net from 'node:net'
import { within } from './deadline.js'

export interface RawResponse {
  status: number
  reason: string
  /** By lower-cased name; the values of repeated ones are joined by ", ". */
  headers: Record<string, string>
  /** Names as they were sent, in their order. */
  names: string[]
  body: Buffer
  /** False when the connection ended before the length that was announced. */
  whole: boolean
}

export interface ReadOptions {
  /** The answer to a HEAD has no body, whatever its headers announce. */
  head?: boolean
}

/** A client's end of a connection, written and read by hand: what is sent is exactly what the test says. */
export class RawConnection {
  readonly socket: net.Socket
  /** How it ended: by the other side's FIN, or by a reset. */
  readonly closed: Promise<'end' | 'reset'>
  #chunks: Buffer[] = []
  #length = 0
  #ended = false
  #wake: () => void = () => undefined

  private constructor(socket: net.Socket) {
    this.socket = socket
    socket.on('data', chunk => {
      this.#chunks.push(chunk)
      this.#length += chunk.length
      this.#wake()
    })
    this.closed = new Promise(resolve => {
      const over = (how: 'end' | 'reset') => (): void => {
        this.#ended = true
        resolve(how)
        this.#wake()
      }
      socket.once('error', over('reset')).once('end', over('end')).once('close', over('end'))
    })
  }

  /** To a port on 127.0.0.1, or to a unix socket. Stays half-open after the other side's FIN. */
  static async open(where: number | string, from?: string): Promise<RawConnection> {
    const socket =
      typeof where === 'number'
        ? net.connect({
            port: where,
            host: '127.0.0.1',
            allowHalfOpen: true,
            ...(from === undefined ? {} : { localAddress: from }),
          })
        : net.connect({ path: where, allowHalfOpen: true })
    await new Promise<void>((resolve, reject) => {
      socket.once('connect', resolve).once('error', reject)
    })
    socket.removeAllListeners('error')
    return new RawConnection(socket)
  }

  get ended(): boolean {
    return this.#ended
  }

  /** Bytes that have come and were not read yet. */
  get unread(): Buffer {
    if (this.#chunks.length !== 1) this.#chunks = [Buffer.concat(this.#chunks)]
    return this.#chunks[0]!
  }

  /** Strings go out as Latin-1: one character is one byte. */
  write(data: string | Buffer): this {
    this.socket.write(typeof data === 'string' ? Buffer.from(data, 'latin1') : data)
    return this
  }

  /** Sends FIN, and goes on reading. */
  end(): this {
    this.socket.end()
    return this
  }

  reset(): void {
    this.socket.resetAndDestroy()
  }

  destroy(): void {
    this.socket.destroy()
  }

  /** The next answer, interim ones included. Fails when the connection ends before its headers are there. */
  async response({ head = false }: ReadOptions = {}): Promise<RawResponse> {
    const headEnd = await this.#find('\r\n\r\n', 'the head of an answer')
    const lines = this.#take(headEnd + 4)
      .toString('latin1')
      .split('\r\n')
    const [, status = '', reason = ''] = /^HTTP\/1\.1 (\d{3}) ?(.*)$/.exec(lines[0] ?? '') ?? []
    if (status === '') throw new Error(`not a status line: ${lines[0] ?? ''}`)
    const headers: Record<string, string> = {}
    const names: string[] = []
    for (const line of lines.slice(1).filter(line => line !== '')) {
      const colon = line.indexOf(':')
      const name = line.slice(0, colon)
      const value = line.slice(colon + 1).trim()
      const lower = name.toLowerCase()
      headers[lower] = lower in headers ? `${headers[lower] ?? ''}, ${value}` : value
      names.push(name)
    }
    const code = Number(status)
    const bodiless = head || code < 200 || code === 204 || code === 304
    const { body, whole } = bodiless ? { body: Buffer.alloc(0), whole: true } : await this.#body(headers)
    return { status: code, reason, headers, names, body, whole }
  }

  /** Exactly `length` bytes; fewer when the connection ends before. */
  async bytes(length: number): Promise<Buffer> {
    while (this.#length < length && !this.#ended) await this.#more(`${length} bytes`)
    return this.#take(Math.min(length, this.#length))
  }

  /** All bytes up to the end of the connection. */
  async rest(): Promise<Buffer> {
    while (!this.#ended) await this.#more('the end of the connection')
    return this.#take(this.#length)
  }

  async #body(headers: Record<string, string>): Promise<{ body: Buffer; whole: boolean }> {
    if (headers['transfer-encoding'] === 'chunked') return this.#chunked()
    if (headers['content-length'] !== undefined) {
      const length = Number(headers['content-length'])
      const body = await this.bytes(length)
      return { body, whole: body.length === length }
    }
    const body = await this.rest()
    return { body, whole: (await this.closed) === 'end' }
  }

  async #chunked(): Promise<{ body: Buffer; whole: boolean }> {
    const chunks: Buffer[] = []
    try {
      for (;;) {
        const line = this.#take((await this.#find('\r\n', 'a chunk size')) + 2).toString('latin1')
        const size = parseInt(line, 16)
        const chunk = await this.bytes(size + 2)
        if (chunk.length < size + 2) return { body: Buffer.concat([...chunks, chunk]), whole: false }
        if (size === 0) return { body: Buffer.concat(chunks), whole: true }
        chunks.push(chunk.subarray(0, size))
      }
    } catch {
      return { body: Buffer.concat(chunks), whole: false }
    }
  }

  async #find(mark: string, what: string): Promise<number> {
    for (;;) {
      const at = this.unread.indexOf(mark)
      if (at >= 0) return at
      if (this.#ended) throw new Error(`the connection ended before ${what}; unread: ${this.unread.toString()}`)
      await this.#more(what)
    }
  }

  #take(length: number): Buffer {
    const { unread } = this
    this.#chunks = [unread.subarray(length)]
    this.#length -= length
    return unread.subarray(0, length)
  }

  #more(what: string): Promise<void> {
    return within(new Promise(resolve => (this.#wake = resolve)), what)
  }
}

/** Sends one request on a connection of its own and reads the answer. */
export async function rawExchange(
  where: number | string,
  bytes: string | Buffer,
  options?: ReadOptions,
): Promise<RawResponse> {
  const connection = await RawConnection.open(where)
  try {
    return await connection.write(bytes).response(options)
  } finally {
    connection.destroy()
  }
}

/** The bytes of a request without a body, or with one of known length. */
export function requestBytes(line: string, headers: string[] = [], body = ''): string {
  const length = body === '' ? [] : [`Content-Length: ${body.length}`]
  return [`${line} HTTP/1.1`, 'Host: a.example', ...headers, ...length, '', body].join('\r\n')
}

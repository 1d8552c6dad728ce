import { createHash } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'

export interface Frame {
  opcode: number
  payload: Buffer
}

export const TEXT = 1
export const BINARY = 2
export const CLOSE = 8

const MASK = Buffer.from([0x11, 0x22, 0x33, 0x44])

/** One final frame (RFC 6455, section 5.2); a client's are masked, a server's are not. */
export function frame(payload: Buffer | string, { masked = false, opcode = BINARY } = {}): Buffer {
  const data = Buffer.from(payload)
  const flag = masked ? 0x80 : 0
  let header: Buffer
  if (data.length < 126) header = Buffer.from([0x80 | opcode, flag | data.length])
  else if (data.length < 65_536) {
    header = Buffer.from([0x80 | opcode, flag | 126, 0, 0])
    header.writeUInt16BE(data.length, 2)
  } else {
    header = Buffer.from([0x80 | opcode, flag | 127, 0, 0, 0, 0, 0, 0, 0, 0])
    header.writeBigUInt64BE(BigInt(data.length), 2)
  }
  return masked ? Buffer.concat([header, MASK, mask(data, MASK)]) : Buffer.concat([header, data])
}

/** Reassembles frames from the chunks of a stream. */
export class FrameReader {
  #received: Buffer = Buffer.alloc(0)

  push(chunk: Buffer): Frame[] {
    this.#received = Buffer.concat([this.#received, chunk])
    const frames: Frame[] = []
    for (let next = this.#shift(); next !== undefined; next = this.#shift()) frames.push(next)
    return frames
  }

  #shift(): Frame | undefined {
    const bytes = this.#received
    if (bytes.length < 2) return undefined
    const short = bytes[1]! & 0x7f
    const lengthBytes = short === 127 ? 8 : short === 126 ? 2 : 0
    const maskBytes = (bytes[1]! & 0x80) === 0 ? 0 : 4
    const header = 2 + lengthBytes + maskBytes
    if (bytes.length < header) return undefined
    const length =
      lengthBytes === 8 ? Number(bytes.readBigUInt64BE(2)) : lengthBytes === 2 ? bytes.readUInt16BE(2) : short
    if (bytes.length < header + length) return undefined
    const payload = bytes.subarray(header, header + length)
    this.#received = bytes.subarray(header + length)
    const plain = maskBytes === 0 ? payload : mask(payload, bytes.subarray(header - 4, header))
    return { opcode: bytes[0]! & 0x0f, payload: plain }
  }
}

/** Headers of a client's opening handshake. */
export const UPGRADE_HEADERS = [
  'Connection: Upgrade',
  'Upgrade: websocket',
  'Sec-WebSocket-Version: 13',
  'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
]

/** A server's answer to the opening handshake. */
export function acceptUpgrade(request: IncomingMessage, socket: Duplex): void {
  const key = request.headers['sec-websocket-key'] ?? ''
  const accept = createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64')
  socket.on('error', () => socket.destroy())
  socket.write(
    `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`,
  )
}

/** Accepts the handshake and echoes every frame. Answers a close frame with its own and ends. */
export function echoWebSocket(request: IncomingMessage, socket: Duplex, head: Buffer): void {
  acceptUpgrade(request, socket)
  const reader = new FrameReader()
  const onData = (chunk: Buffer): void => {
    for (const { opcode, payload } of reader.push(chunk)) {
      if (socket.writable) socket.write(frame(payload, { opcode }))
      if (opcode === CLOSE) socket.end()
    }
  }
  onData(head)
  socket.on('data', onData).on('end', () => socket.end())
}

function mask(data: Buffer, key: Buffer): Buffer {
  return data.map((byte, i) => byte ^ key[i % 4]!) as Buffer
}

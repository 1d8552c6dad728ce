import { randomBytes } from 'node:crypto'
import { RawConnection } from './raw-http.js'
import { CLOSE, frame, TEXT } from './websocket.js'

/** A WebSocket written by hand: what is sent is exactly what the test says. */
export class RawWebSocket {
  private constructor(readonly connection: RawConnection) {}

  /** Opens a Socket.IO session over a WebSocket, joined to the main namespace. */
  static async joinChat(port: number): Promise<RawWebSocket> {
    const { connection, status } = await RawWebSocket.upgrade(port)
    if (status !== 101) throw new Error(`no upgrade: ${status}`)
    const socket = new RawWebSocket(connection)
    await socket.#reads('0{') // Engine.IO: open
    socket.send('40') // Socket.IO: connect
    await socket.#reads('40{')
    return socket
  }

  /** The handshake alone. */
  static async upgrade(port: number, from?: string): Promise<{ connection: RawConnection; status: number }> {
    const connection = await RawConnection.open(port, from)
    const headers = [
      `GET /socket.io/?EIO=4&transport=websocket HTTP/1.1`,
      `Host: 127.0.0.1:${port}`,
      'Connection: Upgrade',
      'Upgrade: websocket',
      'Sec-WebSocket-Version: 13',
      `Sec-WebSocket-Key: ${randomBytes(16).toString('base64')}`,
    ]
    const { status } = await connection.write(`${headers.join('\r\n')}\r\n\r\n`).response()
    return { connection, status }
  }

  send(payload: string | Buffer, { opcode = TEXT, masked = true } = {}): this {
    this.connection.write(frame(payload, { opcode, masked }))
    return this
  }

  /** All bytes until the server ends the connection or both sides have sent a close frame. */
  async untilClosed(): Promise<{ text: string; closeCode: number | undefined }> {
    const answerClose = (): void => {
      // All other bytes of the server are ASCII, so this byte begins the close frame.
      if (this.connection.unread.includes(0x80 | CLOSE)) this.send('', { opcode: CLOSE }).connection.end()
    }
    this.connection.socket.on('data', answerClose)
    answerClose()
    const bytes = await this.connection.rest()
    const at = bytes.indexOf(Buffer.from([0x80 | CLOSE]))
    const closeCode = at >= 0 && bytes.length >= at + 4 ? bytes.readUInt16BE(at + 2) : undefined
    return { text: bytes.toString(), closeCode }
  }

  async #reads(text: string): Promise<void> {
    const head = await this.connection.bytes(2)
    const payload = await this.connection.bytes(head[1]! & 0x7f)
    if (!payload.toString().startsWith(text)) throw new Error(`not ${text}: ${payload.toString()}`)
  }
}

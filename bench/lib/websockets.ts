/**
 * Opens many Socket.IO connections (WebSocket only), keeps them, and on a line on standard input has one of them say
 * something that all must hear. Frames by hand: ten thousand clients of the official library would need gigabytes.
 * `node websockets.js '{"origin":…,"count":…,"atOnce":…}'`; answers with a line of JSON each time.
 */
import { randomBytes } from 'node:crypto'
import net from 'node:net'
import { createInterface } from 'node:readline'

export interface WebSocketPlan {
  origin: string
  count: number
  atOnce: number
}

const { origin, count, atOnce } = JSON.parse(process.argv[2] ?? '') as WebSocketPlan
const { hostname, port } = new URL(origin)
/** The limit of connections per client: see MAX_WEBSOCKETS_PER_CLIENT. */
const PER_ADDRESS = 2_500
const MASK = Buffer.alloc(4)
const HELLO = frame('40')
const PONG = frame('3')
// One text frame with a ping of Engine.IO: a byte that is the length 1, and "2".
const PING = '\x012'

let open = 0
let lost = 0
let heard = 0
let onHeard: () => void = () => undefined
const sockets: net.Socket[] = []

type State = 'upgrading' | 'greeting' | 'open' | 'failed'

function connect(index: number): Promise<void> {
  return new Promise(resolve => {
    const localAddress = `127.0.0.${2 + Math.floor(index / PER_ADDRESS)}`
    const socket = net.connect({ host: hostname, port: Number(port), localAddress })
    let state: State = 'upgrading'
    let text = ''
    const isOpen = (): boolean => state === 'open'
    const settle = (good: boolean): void => {
      if (isOpen() || state === 'failed') return
      state = good ? 'open' : 'failed'
      if (good) {
        open += 1
        sockets.push(socket)
      }
      resolve()
    }
    const hear = (): void => {
      if (text.includes('42["message"')) {
        heard += 1
        onHeard()
      } else if (text.includes(PING)) socket.write(PONG)
    }
    socket.setNoDelay(true).setEncoding('latin1')
    socket.on('data', data => {
      // A server's frames are short here, and not masked: their text is found without parsing them.
      text += String(data)
      if (state === 'upgrading' && text.includes('\r\n\r\n')) {
        if (!text.startsWith('HTTP/1.1 101')) return void socket.destroy()
        state = 'greeting'
        socket.write(HELLO)
      }
      if (state === 'greeting' && text.includes('40{')) settle(true)
      else if (isOpen()) hear()
      if (isOpen()) text = ''
    })
    socket.on('error', () => undefined)
    socket.once('close', () => {
      if (isOpen()) {
        open -= 1
        lost += 1
      }
      settle(false)
    })
    const key = randomBytes(16).toString('base64')
    socket.write(
      `GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: ${hostname}:${port}\r\nConnection: Upgrade\r\n` +
        `Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${key}\r\n\r\n`,
    )
  })
}

function frame(text: string): Buffer {
  const payload = Buffer.from(text)
  // Masked with zeros, which a server cannot tell from any other mask (RFC 6455, section 5.3).
  return Buffer.concat([Buffer.from([0x81, 0x80 | payload.length]), MASK, payload])
}

function say(value: object): void {
  process.stdout.write(`${JSON.stringify(value)}\n`)
}

const from = performance.now()
for (let index = 0; index < count; index += atOnce) {
  await Promise.all(Array.from({ length: Math.min(atOnce, count - index) }, (_, i) => connect(index + i)))
}
say({ open, seconds: (performance.now() - from) / 1_000 })

const BROADCAST_MS = 20_000
createInterface({ input: process.stdin })
  .on('line', () => void broadcast())
  .once('close', () => process.exit(0))

async function broadcast(): Promise<void> {
  const sentAt = performance.now()
  heard = 0
  const all = new Promise<void>(resolve => {
    onHeard = () => {
      if (heard >= open) resolve()
    }
  })
  sockets.find(socket => !socket.destroyed)?.write(frame('42["message","bench"]'))
  await Promise.race([all, new Promise(resolve => setTimeout(resolve, BROADCAST_MS))])
  say({ open, lost, heard, ms: performance.now() - sentAt })
}

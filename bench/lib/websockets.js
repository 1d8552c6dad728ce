/**
 * Opens many Socket.IO connections (WebSocket only), keeps them, and on a line on standard input has one of them say
 * something that all must hear. Frames by hand: ten thousand clients of the official library would need gigabytes.
 * `node websockets.js '{"origin":…,"count":…,"atOnce":…}'`; answers with a line of JSON each time.
 */
import { randomBytes } from 'node:crypto'
import net from 'node:net'
import { createInterface } from 'node:readline'

const { origin, count, atOnce } = JSON.parse(process.argv[2])
const { hostname, port } = new URL(origin)
/** One client may have so many and no more: see MAX_WEBSOCKETS_PER_CLIENT. */
const PER_ADDRESS = 2_500
const MASK = Buffer.alloc(4)
const HELLO = frame('40')
const PONG = frame('3')

let open = 0
let lost = 0
let heard = 0
let onHeard = () => undefined
const sockets = []

function connect(index) {
  return new Promise(resolve => {
    const localAddress = `127.0.0.${2 + Math.floor(index / PER_ADDRESS)}`
    const socket = net.connect({ host: hostname, port: Number(port), localAddress })
    let state = 'upgrading'
    let text = ''
    const settle = good => {
      if (state === 'open' || state === 'failed') return
      state = good ? 'open' : 'failed'
      if (good) {
        open += 1
        sockets.push(socket)
      }
      resolve()
    }
    socket.setNoDelay(true).setEncoding('latin1')
    socket.on('data', data => {
      // A server's frames are short here, and not masked: what they say can be found without taking them apart.
      text += data
      if (state === 'upgrading' && text.includes('\r\n\r\n')) {
        if (!text.startsWith('HTTP/1.1 101')) return void socket.destroy()
        state = 'greeting'
        socket.write(HELLO)
      }
      if (state === 'greeting' && text.includes('40{')) settle(true)
      else if (state === 'open') {
        if (text.includes('42["message"')) {
          heard += 1
          onHeard()
        } else if (/\x01[2]/.test(text)) socket.write(PONG)
      }
      if (state === 'open') text = ''
    })
    socket.on('error', () => undefined)
    socket.once('close', () => {
      if (state === 'open') {
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

function frame(text) {
  const payload = Buffer.from(text)
  // Masked with zeros, which a server cannot tell from any other mask (RFC 6455, section 5.3).
  return Buffer.concat([Buffer.from([0x81, 0x80 | payload.length]), MASK, payload])
}

function say(value) {
  process.stdout.write(`${JSON.stringify(value)}\n`)
}

const from = performance.now()
for (let index = 0; index < count; index += atOnce) {
  await Promise.all(Array.from({ length: Math.min(atOnce, count - index) }, (_, i) => connect(index + i)))
}
say({ open, seconds: (performance.now() - from) / 1_000 })

const BROADCAST_MS = 20_000
for await (const _line of createInterface({ input: process.stdin })) {
  const sentAt = performance.now()
  heard = 0
  const all = new Promise(resolve => (onHeard = () => heard >= open && resolve()))
  sockets.find(socket => !socket.destroyed)?.write(frame('42["message","bench"]'))
  await Promise.race([all, new Promise(resolve => setTimeout(resolve, BROADCAST_MS))])
  say({ open, lost, heard, ms: performance.now() - sentAt })
}
process.exit(0)

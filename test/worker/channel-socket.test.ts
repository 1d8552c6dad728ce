import { once } from 'node:events'
import t from 'tap'
import { CHANNEL_WINDOW, MAX_FRAME_BYTES } from '#balancer/contract/frames.js'
import { ChannelSocket } from '#src/worker/channel-socket.js'

/** A channel, and the frames that it has sent. */
function channel(): { socket: ChannelSocket; frames: Array<string | Buffer>; sent: () => Buffer } {
  const frames: Array<string | Buffer> = []
  const socket = new ChannelSocket(1, {
    sendData: (_channel, bytes) => void frames.push(bytes),
    sendEnd: () => undefined,
    channelClosed: () => undefined,
  })
  const bytesOf = (frame: string | Buffer): Buffer => (typeof frame === 'string' ? Buffer.from(frame, 'latin1') : frame)
  return { socket, frames, sent: () => Buffer.concat(frames.map(bytesOf)) }
}

function writeTogether(socket: ChannelSocket, ...pieces: Array<string | Buffer>): void {
  socket.cork()
  for (const piece of pieces) socket.write(piece, 'latin1')
  socket.uncork()
}

void t.test('pieces that are written together and fit into a frame go in one', t => {
  const { socket, frames, sent } = channel()
  const body = Buffer.alloc(MAX_FRAME_BYTES - 100, 'b')
  writeTogether(socket, 'head caf\xe9 ', body)
  t.equal(frames.length, 1)
  t.ok(sent().equals(Buffer.concat([Buffer.from('head caf\xe9 ', 'latin1'), body])))
  t.end()
})

void t.test('a long piece is not copied while it waits for its client to read', async t => {
  const { socket, frames, sent } = channel()
  const piece = Buffer.alloc(1024 ** 2, 'p')
  const whole = Buffer.concat([Buffer.from('head '), piece, Buffer.from(' between '), piece, Buffer.from('tail')])
  writeTogether(socket, 'head ', piece, ' between ', piece, 'tail')
  t.equal(sent().length, CHANNEL_WINDOW, 'as much as may be on its way')
  t.equal(socket.bytesWritten, whole.length)
  const ofPiece = frames.filter(frame => typeof frame !== 'string')
  t.ok(ofPiece.length > 0 && ofPiece.every(({ buffer }) => buffer === piece.buffer))
  const drained = once(socket, 'drain')
  while (sent().length < whole.length) socket.credit(10_007)
  await drained
  t.ok(sent().equals(whole), 'all came in its order')
  t.ok(frames.every(({ length }) => length > 0 && length <= MAX_FRAME_BYTES))
  socket.credit(whole.length)
  t.equal(sent().length, whole.length, 'nothing came twice')
})

void t.test('many short pieces go in few frames', async t => {
  const { socket, frames, sent } = channel()
  const pieces = Array.from({ length: 200 }, (_, i) => (i % 2 === 0 ? `${i}\r\n` : Buffer.alloc(1_000, `${i}`)))
  writeTogether(socket, ...pieces)
  t.ok(frames.length <= 5, `${frames.length} frames`)
  t.ok(sent().equals(Buffer.concat(pieces.map(piece => Buffer.from(piece)))))
  t.end()
})

import { once } from 'node:events'
import net from 'node:net'
import t, { type Test } from 'tap'
import { ClientSocket } from '#src/worker/client-socket.js'
import { owed, OwedAnswers } from '#src/worker/owed-answers.js'

interface Handle {
  fd: number
  onconnection: (error: number, handle: Handle) => void
}

/** As in mesh mode: a connection that was accepted elsewhere comes as a handle. */
async function connected(t: Test): Promise<{ socket: ClientSocket; owing: () => Array<[number, number]> }> {
  const answers = new OwedAnswers()
  const server = net.createServer().listen(0, '127.0.0.1') as net.Server & { _handle: Handle }
  await once(server, 'listening')
  t.teardown(() => server.close())
  const accepted = new Promise<Handle>(resolve => {
    server._handle.onconnection = (_error, handle) => resolve(handle)
  })
  const client = net.connect((server.address() as net.AddressInfo).port, '127.0.0.1')
  t.teardown(() => client.destroy())
  const socket = new ClientSocket(await accepted, answers)
  t.teardown(() => socket.destroy())
  // A copy: what is taken is not given back.
  const owing = (): Array<[number, number]> => {
    const copy = new SharedArrayBuffer(answers.memory.byteLength)
    new Uint8Array(copy).set(new Uint8Array(answers.memory))
    return [...new OwedAnswers(copy).take()]
  }
  return { socket, owing }
}

void t.test('an answer is owed from the start of a request until something is written', async t => {
  const { socket, owing } = await connected(t)
  t.ok(socket.file > 2)
  t.strictSame(owing(), [])
  socket.owe('GET')
  t.strictSame(owing(), [[socket.file, owed.answer]])
  socket.write('HTTP/1.1 ')
  t.strictSame(owing(), [])
  socket.owe('HEAD')
  t.strictSame(owing(), [[socket.file, owed.head]])
  socket.cork()
  socket.write('200 ')
  socket.write('OK')
  t.equal(owing().length, 1, 'nothing has left yet')
  socket.uncork()
  t.strictSame(owing(), [])
})

void t.test('nothing is owed on a connection that is closed, or that an earlier answer still fills', async t => {
  const { socket, owing } = await connected(t)
  socket.owe('GET')
  socket.destroy()
  t.strictSame(owing(), [])
  socket.owe('GET')
  t.strictSame(owing(), [])
  const other = await connected(t)
  other.socket.write(Buffer.alloc(64 * 1024 * 1024))
  other.socket.owe('GET')
  t.strictSame(other.owing(), [])
})

import { once } from 'node:events'
import net from 'node:net'
import t from 'tap'
import { connectForBodies } from '#balancer/transports/body-connection.js'
import { socketPathFor } from '../../helpers/fake-target.js'

/** The bytes that are read when the next write fails, because the other side has answered and closed. */
async function readAfterFailedWrite(path: string, pieces: string[]): Promise<string> {
  const server = net.createServer(target => {
    target.once('data', () => {
      target.write('answer')
      target.destroy()
    })
  })
  await once(server.listen(path), 'listening')
  const socket = connectForBodies({ path })
  let answer = ''
  socket.on('data', bytes => (answer += String(bytes)))
  const closed = new Promise(resolve => socket.on('error', () => undefined).once('close', resolve))
  server.once('connection', target => {
    // Nothing was read between the other side's end and this.
    target.once('close', () => {
      socket.cork()
      for (const piece of pieces) socket.write(piece)
      socket.uncork()
    })
  })
  socket.write('head')
  await closed
  await new Promise(resolve => server.close(resolve))
  return answer
}

void t.test('an answer is read although the target has closed before it took the whole body', async t => {
  t.equal(await readAfterFailedWrite(socketPathFor(t), ['one']), 'answer')
  t.equal(await readAfterFailedWrite(socketPathFor(t), ['one', 'two']), 'answer', 'more than one piece at once')
})

void t.test('a connection that cannot be made fails', async t => {
  const socket = connectForBodies({ path: socketPathFor(t) })
  socket.write('head')
  const [error] = (await once(socket, 'error')) as [NodeJS.ErrnoException]
  t.equal(error.code, 'ENOENT')
})

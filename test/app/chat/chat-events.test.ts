import { EventEmitter } from 'node:events'
import type { Server } from 'socket.io'
import t from 'tap'
import { relayMessages } from '#src/app/chat/chat.js'

void t.test('a chat client that is disconnected is an event with its address', t => {
  const noted: unknown[][] = []
  const io = Object.assign(new EventEmitter(), { engine: new EventEmitter(), use: () => undefined })
  relayMessages(io as unknown as Server, {
    limited: true,
    events: { note: (...event) => void noted.push(event) },
    now: () => 0,
  })
  const conn = Object.assign(new EventEmitter(), { remoteAddress: '192.0.2.1', close: () => undefined })
  const socket = Object.assign(new EventEmitter(), { conn, connected: true, disconnect: () => undefined })
  io.engine.emit('connection', conn)
  io.emit('connection', socket)
  socket.emit(
    'message',
    Array.from({ length: 33 }).reduce<unknown>(inner => [inner], 'too deep'),
  )
  t.match(noted, [
    ['client-ejected', /^chat client was disconnected: the message was malformed/, { client: '192.0.2.1' }],
  ])
  for (let i = 0; i < 201; i++) conn.emit('packet')
  t.match(noted[1], [
    'client-ejected',
    /^chat client was disconnected: messages came too fast/,
    { client: '192.0.2.1' },
  ])
  t.equal(noted.length, 2)
  t.end()
})

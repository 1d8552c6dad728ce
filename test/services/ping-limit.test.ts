import { EventEmitter } from 'node:events'
import t from 'tap'
import { limitPings } from '#src/services/ping-limit.js'
import type { Session } from '#src/services/session-backlog.js'

class FakeSocket extends EventEmitter {
  cut = false

  terminate(): void {
    this.cut = true
  }

  ping(times: number): void {
    for (let i = 0; i < times; i += 1) this.emit('ping')
  }
}

class FakeSession extends EventEmitter {
  constructor(readonly transport: { name: string; socket?: FakeSocket }) {
    super()
  }
}

let now = 0
const limited = (transport: FakeSession['transport']): FakeSession => {
  const session = new FakeSession(transport)
  limitPings(session as unknown as Session, () => now)
  return session
}

void t.test('a WebSocket with some pings in each second is kept, and one that is flooded is cut', t => {
  const socket = new FakeSocket()
  limited({ name: 'websocket', socket })
  for (; now < 10_000; now += 1_000) socket.ping(100)
  t.notOk(socket.cut)
  socket.ping(101)
  t.ok(socket.cut)
  t.end()
})

void t.test('a session over polling cannot flood the WebSocket that it tries', t => {
  const session = limited({ name: 'polling' })
  const socket = new FakeSocket()
  session.emit('upgrading', { name: 'websocket', socket })
  socket.ping(101)
  t.ok(socket.cut)
  t.end()
})

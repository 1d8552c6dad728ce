import { EventEmitter } from 'node:events'
import t from 'tap'
import { limitBacklog, type Session } from '#src/services/session-backlog.js'

class FakeSession extends EventEmitter {
  closed = false

  close(): void {
    this.closed = true
  }
}

function limited(maxBytes: number): FakeSession {
  const session = new FakeSession()
  limitBacklog(session as unknown as Session, maxBytes)
  return session
}

void t.test('a session whose client reads is kept', t => {
  const session = limited(10)
  for (let i = 0; i < 100; i += 1) {
    session.emit('packetCreate', { type: 'message', data: 'x'.repeat(10) })
    session.emit('packetCreate', { type: 'ping' })
    session.emit('flush', [])
  }
  t.notOk(session.closed)
  t.end()
})

void t.test('a session whose client does not read is ended', t => {
  const session = limited(10)
  session.emit('packetCreate', { type: 'message', data: 'x'.repeat(6) })
  t.notOk(session.closed)
  session.emit('packetCreate', { type: 'message', data: Buffer.alloc(5) })
  t.ok(session.closed)
  t.end()
})

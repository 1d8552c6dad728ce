import { Server, type Socket } from 'socket.io'
import t from 'tap'
import { TimeSlices } from '#src/services/time-slices.js'
import { inSlices, lineOf } from '#src/services/sliced-broadcasts.js'

const CLIENTS = 100

/** A server of the library with so many clients, which only count. Time stands still, so one slice takes all or nothing. */
function served(isTimeUp: () => boolean): { io: Server; got: () => number; slices: TimeSlices<Socket> } {
  let now = 0
  let got = 0
  const slices = new TimeSlices<Socket>({
    share: 0.5,
    now: () => (isTimeUp() ? (now += 1_000) : now),
    later: () => () => undefined,
  })
  const inMemory = new Server().of('/').adapter.constructor as new (namespace: unknown) => object
  const plain = (namespace: unknown): object => new inMemory(namespace)
  const io = new Server({ adapter: inSlices(plain as never, slices) })
  const { adapter, sockets } = io.of('/')
  for (let i = 0; i < CLIENTS; i += 1) {
    const id = `socket ${i}`
    const join = (rooms: string[]): void => void adapter.addAll(id, new Set(rooms))
    const joined = { id, connected: true, join, acks: new Map(), client: { writeToEngine: () => (got += 1) } }
    sockets.set(id, joined as unknown as Socket)
    void adapter.addAll(id, new Set([id, i < 10 ? 'few' : 'many']))
  }
  return { io, got: () => got, slices }
}

void t.test('a broadcast reaches all clients, or those of a room', t => {
  const { io, got } = served(() => false)
  io.emit('message', 'all')
  t.equal(got(), CLIENTS)
  io.to('few').emit('message', 'some')
  t.equal(got(), CLIENTS + 10)
  t.end()
})

void t.test('a broadcast waits while there is no time for it', t => {
  const { io, got, slices } = served(() => true)
  io.emit('message', 'all')
  t.ok(got() < CLIENTS, `${got()} got it at once`)
  t.equal(slices.waiting, CLIENTS - got())
  t.end()
})

void t.test('a broadcast waits in the line of its speaker, and everybody gets it', t => {
  const said: string[] = []
  const { io, slices } = served(() => true)
  const add = slices.add.bind(slices)
  slices.add = (sockets, act, line) => {
    said.push(`${sockets.length} ${line}`)
    add(sockets, act, line)
  }
  io.except(lineOf('a')).emit('message', 'one')
  io.except(lineOf('b')).emit('message', 'two')
  io.except('few').emit('message', 'three')
  t.strictSame(said, [`${CLIENTS} line of a`, `${CLIENTS} line of b`, `${CLIENTS - 10} `])
  t.end()
})

void t.test('a call that needs an outcome does not wait', async t => {
  const { io, got, slices } = served(() => true)
  io.timeout(1).emit('message', 'answer me', () => undefined)
  t.equal(got(), CLIENTS)
  t.equal((await io.local.fetchSockets()).length, CLIENTS)
  io.socketsJoin('all')
  t.equal(io.of('/').adapter.rooms.get('all')?.size, CLIENTS)
  t.equal(slices.waiting, 0)
})

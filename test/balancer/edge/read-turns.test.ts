import type { Socket } from 'node:net'
import { Duplex } from 'node:stream'
import t from 'tap'
import { ReadTurns } from '#balancer/edge/read-turns.js'
import type { OpenConnection } from '#balancer/edge/reader.js'
import { ClientLedger } from '#balancer/ledger/client-ledger.js'

const MEGABYTE = 1024 ** 2
const NONE = { connections: () => 0, places: () => 0, polls: () => 0, parsedBytes: () => 0, heldBytes: () => 0 }

class FakeSocket extends Duplex {
  bytesRead = 0

  override _read(): void {}
}

/** Connections, and an event loop that comes to its timers when a test says so. */
class FakeEdge {
  now = 0
  readonly #ledger = new ClientLedger(NONE)
  readonly #open = new Map<Socket, OpenConnection>()
  readonly turns: ReadTurns

  constructor(upgradedInTurns = true) {
    const connections = { sockets: () => this.#open.keys(), readerOf: (socket: Socket) => this.#open.get(socket) }
    this.turns = new ReadTurns(connections, { upgradedInTurns }, () => this.now)
  }

  connect(address: string, isUpgraded = false): FakeSocket {
    const socket = new FakeSocket() as FakeSocket & Socket
    const account = this.#ledger.accountOf(address)
    const connection = { peer: { address, port: 1, protocol: 'http' as const }, account, isProxy: false, isUpgraded }
    this.#open.set(socket, connection)
    this.turns.served(socket, connection)
    return socket
  }

  upgrade(socket: FakeSocket): void {
    const connection = this.#open.get(socket as FakeSocket & Socket)
    if (connection !== undefined) this.turns.upgraded(socket as FakeSocket & Socket, connection)
  }

  close(socket: FakeSocket): void {
    const connection = this.#open.get(socket as FakeSocket & Socket)
    this.#open.delete(socket as FakeSocket & Socket)
    if (connection !== undefined) this.turns.left(socket as FakeSocket & Socket, connection)
  }

  /** The next look comes after so long. */
  look(ms: number): void {
    this.now += ms
    this.turns.check()
  }

  late(): void {
    this.look(500)
  }

  inTime(): void {
    this.look(50)
  }
}

const isPaced = (socket: FakeSocket): boolean => Object.hasOwn(socket, 'push')

void t.test('a client that sends much while the event loop is late takes turns, and no other client does', t => {
  const edge = new FakeEdge()
  const [much, same, upgraded] = [edge.connect('10.0.0.1'), edge.connect('10.0.0.1'), edge.connect('10.0.0.1', true)]
  const little = edge.connect('10.0.0.2')
  much.bytesRead = little.bytesRead = 100 * MEGABYTE
  edge.late()
  t.notOk(isPaced(much), 'bytes from before the first look do not count')
  much.bytesRead += MEGABYTE
  little.bytesRead += 1_000
  edge.late()
  t.strictSame([much, same, upgraded, little].map(isPaced), [true, true, true, false])
  t.ok(isPaced(edge.connect('10.0.0.1')), 'a new connection does as well')
  t.notOk(isPaced(edge.connect('10.0.0.2')))
  t.end()
})

void t.test('upgraded connections take no turns where what the app reads of them is paced', t => {
  for (const upgradedInTurns of [true, false]) {
    const edge = new FakeEdge(upgradedInTurns)
    const [upgraded, later] = [edge.connect('10.0.0.1', true), edge.connect('10.0.0.1')]
    edge.connect('10.0.0.2')
    edge.late()
    upgraded.bytesRead += MEGABYTE
    edge.late()
    t.equal(isPaced(upgraded), upgradedInTurns)
    t.ok(isPaced(later))
    edge.upgrade(later)
    t.equal(isPaced(later), upgradedInTurns)
  }
  t.end()
})

void t.test('a client that sends much takes no turns while the event loop is on time', t => {
  const edge = new FakeEdge()
  const [much] = [edge.connect('10.0.0.1'), edge.connect('10.0.0.2')]
  edge.late()
  edge.inTime()
  much.bytesRead += 100 * MEGABYTE
  edge.late()
  t.notOk(isPaced(much), 'it is late for the first time again')
  t.end()
})

void t.test('a client that is alone takes no turns', t => {
  const edge = new FakeEdge()
  const much = edge.connect('10.0.0.1')
  edge.late()
  much.bytesRead += 100 * MEGABYTE
  edge.late()
  t.notOk(isPaced(much))
  t.end()
})

void t.test('bytes of connections that have closed count', t => {
  const edge = new FakeEdge()
  edge.connect('10.0.0.2')
  edge.late()
  for (let i = 0; i < 10; i += 1) {
    const socket = edge.connect('10.0.0.1')
    socket.bytesRead = MEGABYTE / 10
    edge.close(socket)
  }
  edge.late()
  t.ok(isPaced(edge.connect('10.0.0.1')))
  t.end()
})

void t.test('a client that has not had to wait for a minute takes no more turns', t => {
  const edge = new FakeEdge()
  const [much] = [edge.connect('10.0.0.1'), edge.connect('10.0.0.2')]
  edge.late()
  much.bytesRead += MEGABYTE
  edge.late()
  t.ok(isPaced(much))
  edge.look(61_000)
  t.notOk(isPaced(much))
  t.notOk(isPaced(edge.connect('10.0.0.1')))
  t.end()
})

import t from 'tap'
import { BusyStreams } from '#balancer/requests/busy-streams.js'
import { ClientLedger } from '#balancer/ledger/client-ledger.js'
import { NOTHING, type InFlight } from '#balancer/targets/in-flight.js'

const NONE = { connections: () => 0, places: () => 0, polls: () => 0, parsedBytes: () => 0, heldBytes: () => 0 }
const ledger = new ClientLedger(NONE)

/** An answer that streams, of which a test says how much has gone out. */
function stream(address: string): InFlight & { socket: { bytesWritten: number }; noted: number } {
  const socket = { bytesWritten: 0 }
  return {
    ...NOTHING,
    account: ledger.accountOf(address),
    request: { socket },
    socket,
    noted: 0,
    noteAnswering() {
      this.noted += 1
    },
  }
}

void t.test('a stream is busy while it makes progress, and for half a second after that', t => {
  const streams = new BusyStreams()
  const [a, b] = [stream('10.0.0.1'), stream('10.0.0.2')]
  const busyAt = (now: number): string[] => streams.busyOf([a, b], now).map(({ client }) => client)
  t.strictSame(busyAt(0), ['10.0.0.1', '10.0.0.2'])
  t.equal(a.noted, 1, 'its place is free')
  a.socket.bytesWritten += 1
  t.strictSame(busyAt(499), ['10.0.0.1', '10.0.0.2'])
  t.strictSame(busyAt(500), ['10.0.0.1'])
  t.strictSame(busyAt(999), [])
  b.socket.bytesWritten += 1
  t.strictSame(busyAt(1_000), ['10.0.0.2'])
  t.end()
})

void t.test('a stream that is over is forgotten', t => {
  const streams = new BusyStreams()
  const a = stream('10.0.0.1')
  streams.busyOf([a], 0)
  t.strictSame(streams.busyOf([], 100), [])
  t.equal(streams.busyOf([a], 1_000).length, 1, 'another one begins')
  t.end()
})

import t, { type Test } from 'tap'
import type { Connection } from '#src/primary/host/bound-handle.js'
import { ConnectionTurns } from '#src/primary/processes/connection-turns.js'

/** @returns the names of connections in the order in which they are passed, sent back and closed */
function given(
  t: Test,
  limit?: number,
): {
  turns: ConnectionTurns
  add: (...names: string[]) => void
  /** The client resets the connection. */
  reset: (name: string) => void
  passed: string[]
  back: string[]
  closed: string[]
} {
  const named = new Map<Connection, string>()
  const [passed, back, closed]: [string[], string[], string[]] = [[], [], []]
  const turns = new ConnectionTurns(connection => passed.push(named.get(connection)!), limit)
  const gone = new Set<string>()
  const add = (...names: string[]): void => {
    for (const name of names) {
      const connection: Connection = {
        fd: 1,
        close: () => void closed.push(name),
        getpeername: out => {
          if (gone.has(name)) return -107
          Object.assign(out, { address: `192.0.2.${name.charCodeAt(0)}` })
          return 0
        },
      }
      named.set(connection, name)
      turns.add(connection, () => void back.push(name))
    }
  }
  t.teardown(() => named.clear())
  return { turns, add, reset: name => void gone.add(name), passed, back, closed }
}

void t.test('one connection is passed at a time, and clients take turns', t => {
  const { turns, add, passed, closed } = given(t)
  add('a1', 'a2', 'a3', 'a4', 'b1', 'c1', 'c2')
  t.strictSame(passed, ['a1'])
  t.equal(turns.areWaiting, true)
  for (let i = 0; i < 7; i += 1) turns.taken()
  t.equal(turns.areWaiting, false, 'the process has taken all')
  t.strictSame(passed, ['a1', 'a2', 'b1', 'c1', 'a3', 'c2', 'a4'])
  t.strictSame(closed, passed, 'the process has each of them, so this one needs it no more')
  add('d1')
  t.equal(passed.at(-1), 'd1', 'nothing is on its way, so it need not wait')
  t.end()
})

void t.test('a process that is to get no more keeps only the connection that was passed to it', t => {
  const { turns, add, passed, back } = given(t)
  add('a1', 'a2', 'b1')
  turns.sendBack()
  t.strictSame(back, ['a2', 'b1'])
  turns.taken()
  t.strictSame(passed, ['a1'])
  t.end()
})

void t.test('when a process ends, connections that it has not taken go elsewhere, each once', t => {
  const { turns, add, back } = given(t)
  add('a1', 'a2', 'b1')
  turns.taken()
  turns.sendAllBack()
  turns.sendAllBack()
  t.strictSame(back, ['a2', 'b1'])
  t.end()
})

void t.test('a client that connects faster than the process takes loses its newest to clients with fewer', t => {
  const { turns, add, passed, closed } = given(t, 4)
  add('a1', 'a2', 'a3', 'a4', 'a5', 'a6')
  t.strictSame(closed, ['a6'], 'nobody has more')
  add('b1', 'b2', 'b3')
  t.strictSame(closed.splice(0), ['a6', 'a5', 'a4', 'b3'], 'until both have as many')
  for (let i = 0; i < 5; i += 1) turns.taken()
  t.strictSame(passed, ['a1', 'a2', 'b1', 'a3', 'b2'])
  t.strictSame(closed, passed)
  add('c1', 'c2', 'c3')
  t.equal(passed.at(-1), 'c1', 'the places are free again')
  t.end()
})

void t.test('what its client has reset is not passed to the process', t => {
  const { turns, add, reset, passed, closed } = given(t)
  add('a1', 'a2', 'a3', 'b1')
  for (const name of ['a2', 'a3', 'b1']) reset(name)
  turns.taken()
  t.strictSame(passed, ['a1'])
  t.strictSame(closed, ['a1', 'a2', 'b1', 'a3'])
  t.equal(turns.areWaiting, false)
  t.end()
})

void t.test('a client with many gives one up to a client with fewer, if open files are short', t => {
  const { turns, add } = given(t)
  add('a1', 'a2', 'a3', 'a4')
  const of = (address: string): Connection => ({
    fd: 1,
    close: () => undefined,
    getpeername: out => (Object.assign(out, { address }), 0),
  })
  t.not(turns.pushOutFor(of('192.0.2.98')), undefined)
  t.equal(turns.pushOutFor(of('192.0.2.97')), undefined, 'not to itself')
  t.end()
})

import t, { type Test } from 'tap'
import type { Connection } from '#src/primary/host/bound-handle.js'
import { ConnectionTurns } from '#src/primary/processes/connection-turns.js'

/** @returns the names of connections in the order in which they are passed, sent back and closed */
function given(t: Test): {
  turns: ConnectionTurns
  add: (...names: string[]) => void
  passed: string[]
  back: string[]
  closed: string[]
} {
  const named = new Map<Connection, string>()
  const [passed, back, closed]: [string[], string[], string[]] = [[], [], []]
  const turns = new ConnectionTurns(connection => passed.push(named.get(connection)!))
  const add = (...names: string[]): void => {
    for (const name of names) {
      const connection: Connection = {
        fd: 1,
        close: () => void closed.push(name),
        getpeername: out => {
          Object.assign(out, { address: `192.0.2.${name.charCodeAt(0)}` })
          return 0
        },
      }
      named.set(connection, name)
      turns.add(connection, () => void back.push(name))
    }
  }
  t.teardown(() => named.clear())
  return { turns, add, passed, back, closed }
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

import t from 'tap'
import { relieve, type Unread } from '#balancer/edge/unread-answers.js'

const CAPACITY = 100
const PATIENCE_MS = 5

function of(client: string, queued: number, stillMs = 0, pending = 0): Unread<string, string> {
  const connection = `${client} ${queued} ${stillMs}`
  return { connection, client, isProxy: client.startsWith('proxy'), pending, queued, stillMs }
}

void t.test('a client within its share is left alone, however long it makes no progress', t => {
  const nothing = { room: new Map(), cut: [] }
  t.strictSame(relieve([of('a', 30, 99), of('a', 20, 99)], CAPACITY, PATIENCE_MS), nothing, 'alone it has half')
  t.strictSame(relieve([of('a', 33, 99), of('b', 33, 99)], CAPACITY, PATIENCE_MS), nothing, 'two leave a third')
  t.end()
})

void t.test('a client over its share gets no more, and loses the connections without progress for longest', t => {
  const unread = [of('a', 40, 0), of('a', 30, 6), of('a', 20, 7), of('a', 10, 4), of('b', 5, 99)]
  const { room, cut } = relieve(unread, CAPACITY, PATIENCE_MS)
  t.strictSame(room, new Map([['a', 0]]))
  t.strictSame(cut, ['a 20 7', 'a 30 6'])
  t.end()
})

void t.test('bytes that the system does not have yet leave room', t => {
  const { room } = relieve([of('a', 20, 0, 50)], CAPACITY, PATIENCE_MS)
  t.strictSame(room, new Map([['a', 30]]))
  t.end()
})

void t.test('a connection that makes progress is never cut', t => {
  const { room, cut } = relieve([of('a', 90, 4), of('b', 90, 4)], CAPACITY, PATIENCE_MS)
  t.strictSame([...room.keys()], ['a', 'b'])
  t.strictSame(cut, [])
  t.end()
})

void t.test('a proxy has no share, and is held when nothing is left, but never cut', t => {
  t.strictSame(relieve([of('proxy', 100, 9)], CAPACITY, PATIENCE_MS), { room: new Map(), cut: [] })
  const full = relieve([of('proxy', 90, 9), of('proxy', 20, 8), of('a', 25, 99)], CAPACITY, PATIENCE_MS)
  t.strictSame(full.room, new Map([['proxy', 0]]))
  t.strictSame(full.cut, [])
  t.end()
})

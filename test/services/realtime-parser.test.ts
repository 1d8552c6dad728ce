import { pino } from 'pino'
import { serialize } from 'node:v8'
import t from 'tap'
import { realtimeParser } from '#src/services/realtime-parser.js'

const { encode, decode } = realtimeParser(pino({ level: 'silent' }))
const HALF = '\ud800'

void t.test('a message between workers arrives as it was sent, with any keys and values', t => {
  const messages: unknown[] = [
    { [HALF.repeat(9_000) + 'a']: 1 },
    { [HALF]: HALF.repeat(9_000), ['é✓😀'.repeat(20)]: 'é✓😀' },
    JSON.parse('{"__proto__":{"a":1},"constructor":2}'),
    ['u', { type: 2, nsp: '/', data: ['message', [null, true, 1.5, -0.1, '', [], {}]] }, { rooms: [], except: [] }],
  ]
  for (const message of messages) t.strictSame(JSON.stringify(decode(encode(message))), JSON.stringify(message))
  t.end()
})

void t.test('bytes in a message arrive as bytes, and numbers as numbers', t => {
  const [bytes, view] = decode(encode([Buffer.from('some bytes'), new Uint8Array([1, 2])])) as [Buffer, Uint8Array]
  t.ok(Buffer.isBuffer(bytes))
  t.equal(bytes.toString(), 'some bytes')
  t.strictSame([...view], [1, 2])
  t.end()
})

void t.test('clients of other workers get a message as JSON would carry it', t => {
  const said = {
    at: new Date(0),
    url: new URL('http://a.example/'),
    known: new Map([[1, 2]]),
    run: () => 1,
    list: [undefined, () => 1],
    none: undefined,
  }
  t.equal(JSON.stringify(decode(encode(said))), JSON.stringify(said))
  t.end()
})

void t.test('a message that cannot be JSON throws at its sender', t => {
  const circle: unknown[] = []
  circle.push(circle)
  for (const message of [circle, { n: 1n }]) t.throws(() => encode(message))
  t.end()
})

void t.test('malformed bytes between workers are a message to no client', t => {
  for (const bytes of [Buffer.alloc(0), Buffer.from('x'), Buffer.from('{}'), serialize(null), serialize(7)]) {
    t.strictSame(decode(bytes), [])
  }
  t.end()
})

import { pino } from 'pino'
import t from 'tap'
import { SecurityEvents } from '#src/process/security-events.js'

const MINUTE = 60_000

function recorded(max: number): { events: SecurityEvents; lines: Record<string, unknown>[]; clock: { now: number } } {
  const lines: Record<string, unknown>[] = []
  const log = pino({ base: {} }, { write: line => void lines.push(JSON.parse(line) as Record<string, unknown>) })
  const clock = { now: 0 }
  return { events: new SecurityEvents(log, { max, now: () => clock.now }), lines, clock }
}

void t.test('an event is one line with its kind, its message and its facts', t => {
  const { events, lines } = recorded(10)
  events.note('sign-in-failed', 'sign-in was refused: the password is wrong', { client: '192.0.2.1' })
  events.note('sign-in', 'account was signed in: its password was right')
  t.match(lines, [
    { level: 40, security: 'sign-in-failed', msg: 'sign-in was refused: the password is wrong', client: '192.0.2.1' },
    { level: 30, security: 'sign-in' },
  ])
  t.end()
})

void t.test('a text of a client cannot forge a log line', t => {
  const written: string[] = []
  const log = pino({}, { write: line => void written.push(line) })
  new SecurityEvents(log).note('forbidden', 'request was refused', { path: '/a"}\n{"level":60,"msg":"forged"}\r\n' })
  t.equal(written.length, 1)
  t.equal(
    written
      .join('')
      .trimEnd()
      .split(/[\r\n]/).length,
    1,
  )
  t.end()
})

void t.test('events of one kind are bounded, and the next line says how many were left out', t => {
  const { events, lines, clock } = recorded(3)
  for (let i = 0; i < 1_000; i++) events.note('limited', 'request was refused: too many')
  t.equal(lines.length, 3)
  events.note('forbidden', 'request was refused: another origin')
  t.equal(lines.length, 4, 'each kind has its own bound')
  clock.now += MINUTE
  events.note('limited', 'request was refused: too many')
  t.match(lines.at(-1), { security: 'limited', leftOut: 997 })
  events.note('limited', 'request was refused: too many')
  t.notOk('leftOut' in lines.at(-1)!)
  t.end()
})

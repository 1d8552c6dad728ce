import t from 'tap'
import { Readiness } from '#src/primary/processes/readiness.js'
import { until } from '../../helpers/deadline.js'

const READY = { type: 'ready', host: '127.0.0.1' } as const

function made(): { told: object[]; readiness: Readiness } {
  const told: object[] = []
  return { told, readiness: new Readiness(report => told.push(report)) }
}

void t.test('a child is ready when it listens, whatever its app says', t => {
  const { told, readiness } = made()
  readiness.noteWord()
  t.strictSame(told, [])
  readiness.noteReport(READY)
  t.strictSame(told, [READY])
  t.equal(readiness.explain('late'), 'late')
  t.end()
})

void t.test('a child whose app has to say so is ready once it has listened and said so, in either order', t => {
  for (const isWordFirst of [false, true]) {
    const { told, readiness } = made()
    readiness.awaitWord()
    if (isWordFirst) readiness.noteWord()
    else readiness.noteReport(READY)
    t.strictSame(told, [])
    const late = isWordFirst ? 'late' : `late: app listens, but has not called process.send('ready')`
    t.equal(readiness.explain('late'), late)
    if (isWordFirst) readiness.noteReport(READY)
    else readiness.noteWord()
    t.strictSame(told, [READY])
    t.equal(readiness.explain('late'), 'late')
    readiness.noteWord()
    t.equal(told.length, 1, 'a second word changes nothing')
  }
  t.end()
})

void t.test('an app that has not said that it is ready is named, unless the child has ended', async t => {
  const told: object[] = []
  const missing = (): Readiness => {
    const readiness = new Readiness(report => told.push(report), 1)
    readiness.awaitWord()
    readiness.noteReport(READY)
    readiness.noteReport(READY)
    return readiness
  }
  missing().end()
  missing().noteWord()
  t.strictSame(told.splice(0), [READY])
  missing()
  await until(() => told.length > 0, 'the hint')
  const message = "app listens, but has not called process.send('ready') yet: APP_READY=message waits for that"
  t.strictSame(told, [{ type: 'hint', message }])
})

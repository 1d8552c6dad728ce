import { pino } from 'pino'
import t from 'tap'
import { OwnReloads } from '#src/primary/own-reloads/own-reloads.js'
import { ReloadSchedule } from '#src/primary/own-reloads/reload-schedule.js'
import { until } from '../../helpers/deadline.js'

const silent = pino({ level: 'silent' })
const MINUTE = 60_000

void t.test('a request during a reload causes one more reload, even if the first one fails', async t => {
  const ends: Array<(error?: Error) => void> = []
  const reloads = new OwnReloads(
    () =>
      new Promise<void>((resolve, reject) => {
        ends.push(error => (error === undefined ? resolve() : reject(error)))
      }),
    silent,
  )
  reloads.ask('one')
  for (const why of ['two', 'three', 'four']) reloads.ask(why)
  t.equal(ends.length, 1)
  ends[0]?.(new Error('it does not start'))
  await until(() => ends.length === 2, 'one more')
  ends[1]?.()
  await until(() => !reloads.areUnderWay, 'the end')
  t.equal(ends.length, 2)
  reloads.ask('five')
  t.equal(ends.length, 3)
})

void t.test('a schedule asks at its times, and not while a reload is under way', async t => {
  let ahead = 0
  let standing: number | undefined
  const now = (): number => standing ?? Date.now() + ahead
  const asked: string[] = []
  const reloads = { areUnderWay: false, ask: (why: string) => void asked.push(why) }
  const lines: string[] = []
  const log = pino({}, { write: line => void lines.push(line) })
  const schedule = new ReloadSchedule('* * * * *', 'UTC', reloads, log, now)
  t.teardown(() => schedule.stop())
  /** Shortly before a full minute. The clock stands still until then: a busy machine could miss the minute. */
  const start = async (): Promise<void> => {
    standing = now() + MINUTE - 100 - (now() % MINUTE)
    await schedule.start()
    ahead = standing - Date.now()
    standing = undefined
  }
  await start()
  t.strictSame(asked, [])
  await until(() => asked.length === 1, 'its time')
  t.strictSame(asked, ['RELOAD_CRON is * * * * *'])
  await schedule.stop()

  reloads.areUnderWay = true
  await start()
  await until(() => lines.length === 1, 'its time')
  t.match(lines[0], /not reloaded by RELOAD_CRON: a reload is under way/)
  t.equal(asked.length, 1)
})

void t.test('without a schedule nothing is asked for', async t => {
  const schedule = new ReloadSchedule(undefined, 'UTC', { areUnderWay: false, ask: () => t.fail('asked') }, silent)
  await schedule.start()
  await schedule.stop()
})

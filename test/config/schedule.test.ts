import t from 'tap'
import { crontabLine, isTimeZone, scheduleOf } from '#src/config/schedule.js'

const times = (text: string, from: string, count: number, timeZone = 'UTC'): string[] => {
  const schedule = scheduleOf(text, timeZone)
  const found: string[] = []
  for (let at = Date.parse(from); found.length < count;) {
    at = schedule.next(at)
    found.push(new Date(at).toISOString().slice(0, 16))
  }
  return found
}

const rows: Array<[what: string, text: string, times: string[], timeZone?: string]> = [
  ['steps', '*/20 * * * *', ['2026-03-28T12:20', '2026-03-28T12:40', '2026-03-28T13:00']],
  ['lists and ranges', '5,10 8-9 * * *', ['2026-03-29T08:05', '2026-03-29T08:10', '2026-03-29T09:05']],
  ['names', '0 0 * jan mon', ['2027-01-04T00:00', '2027-01-11T00:00']],
  ['0 and 7 for Sunday', '0 0 * * 7', ['2026-03-29T00:00', '2026-04-05T00:00']],
  ['either of two days, where both are given', '0 0 1 * mon', ['2026-03-30T00:00', '2026-04-01T00:00']],
  ['@daily', '@daily', ['2026-03-29T00:00', '2026-03-30T00:00']],
  ['@hourly', '@hourly', ['2026-03-28T13:00']],
  ['@weekly', '@weekly', ['2026-03-29T00:00']],
  ['@monthly', '@monthly', ['2026-04-01T00:00']],
  ['@yearly', '@yearly', ['2027-01-01T00:00']],
  ['a time zone', '0 8 * * *', ['2026-03-29T06:00'], 'Europe/Berlin'],
  [
    'an hour that the clock skips, as the one after it',
    '30 2 * * *',
    ['2026-03-29T01:00', '2026-03-30T00:30'],
    'Europe/Berlin',
  ],
]

for (const [what, text, expected, timeZone] of rows) {
  void t.test(`a schedule has ${what}`, t => {
    t.strictSame(times(text, '2026-03-28T12:00:00Z', expected.length, timeZone), expected)
    t.end()
  })
}

void t.test('an hour that the clock repeats comes once', t => {
  t.strictSame(times('30 2 * * *', '2026-10-24T12:00:00Z', 2, 'Europe/Berlin'), [
    '2026-10-25T00:30',
    '2026-10-26T01:30',
  ])
  t.strictSame(
    times('*/30 * * * *', '2026-10-24T23:40:00Z', 5, 'Europe/Berlin').map(time => time.slice(11)),
    ['00:00', '00:30', '01:00', '01:30', '02:00'],
    'but for a job of each hour',
  )
  t.end()
})

void t.test('a text that is not a schedule is refused', t => {
  for (const text of ['', '* * * *', '* * * * * *', '61 * * * *', '* * * foo *', '@reboot', '@often', '0 0 31 2 *']) {
    t.throws(() => scheduleOf(text, 'UTC'), text)
  }
  t.throws(() => scheduleOf('* * * * *', 'Mars/Base'))
  t.strictSame([isTimeZone('America/New_York'), isTimeZone('Mars/Base'), isTimeZone('')], [true, false, false])
  t.end()
})

void t.test('a line of a crontab is its schedule and its command', t => {
  t.strictSame(crontabLine('*/5  * * * mon  node a.js  b'), { schedule: '*/5  * * * mon', command: 'node a.js  b' })
  t.strictSame(crontabLine('@daily node a.js'), { schedule: '@daily', command: 'node a.js' })
  t.equal(crontabLine('* * * * *'), undefined)
  t.equal(crontabLine('@daily'), undefined)
  t.end()
})

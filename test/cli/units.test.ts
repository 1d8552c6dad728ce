import t from 'tap'
import { count, duration, mebibytes, percent, rate } from '#src/cli/units.js'

void t.test('a duration has its two largest units', t => {
  const cases: Array<[ms: number, text: string]> = [
    [0, '0s'],
    [999, '0s'],
    [59_999, '59s'],
    [60_000, '1m'],
    [61_000, '1m 1s'],
    [3_600_000, '1h'],
    [3_661_000, '1h 1m'],
    [86_400_000 * 3 + 3_600_000 * 2 + 59_000, '3d 2h'],
  ]
  for (const [ms, text] of cases) t.equal(duration(ms), text)
  t.end()
})

void t.test('measurements are rounded to what people compare', t => {
  t.equal(mebibytes(85.4 * 1024 ** 2), '85 MiB')
  t.equal(percent(0.256), '26 %')
  t.strictSame([0, 0.25, 9.96, 10.4, 1234.5].map(rate), ['0', '0.3', '10.0', '10', '1235'])
  t.strictSame([count(1, 'worker'), count(2, 'worker')], ['1 worker', '2 workers'])
  t.end()
})

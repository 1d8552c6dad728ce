import t from 'tap'
import { FatalRequestRecord, type FatalRequestNews } from '#src/primary/traffic/fatal-request-record.js'

const BUG = { method: 'GET', path: '/bug' }

void t.test('each kind of request is in the log once in ten seconds, and all together twenty times a minute', t => {
  const news: FatalRequestNews[] = []
  const fatal = new FatalRequestRecord(each => news.push(each))
  fatal.note({ ...BUG, targets: 2 }, 0)
  fatal.note({ ...BUG, targets: 1 }, 5_000)
  fatal.note({ ...BUG, targets: 1 }, 11_000)
  t.strictSame(news, [
    { ...BUG, count: 2, seconds: 1 },
    { ...BUG, count: 4, seconds: 11 },
  ])
  for (let i = 0; i < 200; i += 1) fatal.note({ method: 'GET', path: `/${i}`, targets: 2 }, 12_000 + i)
  t.equal(news.length, 20)
  t.equal(fatal.known.length, 100, 'memory is bounded')
  t.end()
})

void t.test('balancers get the ends of the last minute, three of each kind at most', t => {
  const fatal = new FatalRequestRecord(() => undefined)
  fatal.note({ ...BUG, targets: 2 }, 1_000)
  fatal.note({ ...BUG, targets: 2 }, 2_000)
  t.strictSame(fatal.known, [{ ...BUG, endedAt: [1_000, 2_000, 2_000] }])
  fatal.note({ method: 'GET', path: '/other', targets: 1 }, 70_000)
  t.strictSame(
    fatal.known.map(({ path }) => path),
    ['/other'],
  )
  t.end()
})

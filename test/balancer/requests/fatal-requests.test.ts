import t from 'tap'
import { FatalRequests, type FatalRequest } from '#balancer/requests/fatal-requests.js'

const BUG = { method: 'GET', url: '/bug?id=1' }

void t.test('a request may end two targets, and none beyond the third of its kind within a minute', t => {
  const fatal = new FatalRequests(() => undefined)
  t.equal(fatal.allowanceOf(BUG, 0), 2)
  fatal.record(BUG, 2, 0)
  t.equal(fatal.allowanceOf({ ...BUG, url: '/bug?id=2' }, 1_000), 1, 'whatever its query')
  t.equal(fatal.allowanceOf({ ...BUG, method: 'HEAD' }, 1_000), 2)
  fatal.record(BUG, 1, 1_000)
  t.equal(fatal.allowanceOf(BUG, 2_000), 1)
  t.equal(fatal.allowanceOf(BUG, 62_000), 2, 'after a minute it is forgotten')
  t.end()
})

void t.test('each kind is reported once in ten seconds, and all together twenty times a minute', t => {
  const reports: FatalRequest[] = []
  const fatal = new FatalRequests(request => reports.push(request))
  fatal.record(BUG, 2, 0)
  fatal.record(BUG, 1, 5_000)
  fatal.record(BUG, 1, 11_000)
  t.strictSame(reports, [
    { method: 'GET', path: '/bug', count: 2, seconds: 1 },
    { method: 'GET', path: '/bug', count: 4, seconds: 11 },
  ])
  for (let i = 0; i < 200; i += 1) fatal.record({ method: 'GET', url: `/${i}` }, 2, 12_000 + i)
  t.equal(reports.length, 20)
  t.ok(fatal.size <= 101)
  t.end()
})

void t.test('a long path is cut', t => {
  const reports: FatalRequest[] = []
  new FatalRequests(request => reports.push(request)).record({ method: 'GET', url: `/${'a'.repeat(5_000)}` }, 2, 0)
  t.equal(reports[0]?.path.length, 200)
  t.end()
})

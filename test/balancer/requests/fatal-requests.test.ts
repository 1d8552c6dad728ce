import t from 'tap'
import { FatalRequests, type FatalRequestFound } from '#balancer/requests/fatal-requests.js'

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

void t.test('the findings of another balancer count, and count once', t => {
  const fatal = new FatalRequests(() => undefined)
  const known = [{ method: 'GET', path: '/bug', endedAt: [1_000_000, 1_000_000] }]
  fatal.learn(known, 5_000, 1_000_000)
  t.equal(fatal.allowanceOf(BUG, 5_000), 1)
  t.ok(fatal.has(BUG))
  const own = new FatalRequests(() => undefined)
  own.record(BUG, 1, 4_000)
  own.learn([{ method: 'GET', path: '/bug', endedAt: [1_004_000] }], 5_000, 1_000_000)
  t.equal(own.allowanceOf(BUG, 5_000), 2, 'its own finding came back')
  own.learn(known, 70_000, 1_000_000)
  t.equal(own.allowanceOf(BUG, 70_000), 2, 'a finding older than a minute does not count')
  t.end()
})

void t.test('each finding is reported, its path without the query and cut', t => {
  const found: FatalRequestFound[] = []
  const fatal = new FatalRequests(request => found.push(request))
  fatal.record(BUG, 2, 0)
  t.strictSame(found, [{ method: 'GET', path: '/bug', targets: 2 }])
  fatal.record({ method: 'GET', url: `/${'a'.repeat(5_000)}` }, 2, 0)
  t.equal(found[1]?.path.length, 200)
  for (let i = 0; i < 200; i += 1) fatal.record({ method: 'GET', url: `/${i}` }, 2, i)
  t.ok(fatal.size <= 100, 'memory is bounded')
  t.end()
})

import t from 'tap'
import { PlanStory } from '../../helpers/plan-story.js'

void t.test('a worker gets requests from the time it is ready', t => {
  const story = new PlanStory(1, {}, 1)
  story.settle()
  t.strictSame(story.routes, [])
  story.child('worker 1').ready(story.now)
  story.child('balancer 1').ready(story.now)
  story.settle()
  t.strictSame(story.routes, [{ child: 'worker 1', draining: false }])
  t.end()
})

void t.test('a worker that drains is marked, and its successor gets the new requests', t => {
  const story = PlanStory.serving(1)
  story.child('worker 1').replaceReason = 'SIGTERM'
  story.settle()
  story.proves('worker 2').settle()
  t.strictSame(story.routes, [
    { child: 'worker 1', draining: true },
    { child: 'worker 2', draining: false },
  ])
  t.end()
})

void t.test('a crashed worker is marked as draining until it exits', t => {
  const story = PlanStory.serving(1)
  story.child('worker 1').crash(story.now)
  story.settle()
  t.strictSame(story.routes, [{ child: 'worker 1', draining: true }])
  story.exits('worker 1').settle()
  t.strictSame(story.routes, [])
  t.end()
})

void t.test('a worker that stops or has exited is not in the list', t => {
  const story = PlanStory.serving(2)
  story.child('worker 1').hung = true
  t.strictSame(story.wait(10_000).settle(), ['kill worker 1: no heartbeat for 10 s'])
  t.strictSame(story.routes, [{ child: 'worker 2', draining: false }])
  t.end()
})

void t.test('a worker gets nothing new from the pass on in which it is to drain', t => {
  const story = PlanStory.serving(2)
  story.desired = { ...story.desired, releases: story.desired.releases.map(release => ({ ...release, workers: 1 })) }
  const [first] = story.pass()
  t.equal(first, 'drain worker 2')
  t.strictSame(story.routes, [
    { child: 'worker 1', draining: false },
    { child: 'worker 2', draining: true },
  ])
  t.end()
})

void t.test('a shutdown leaves the list as it is', t => {
  const story = PlanStory.serving(1)
  const before = story.routes
  story.desired = { ...story.desired, shutdown: { cutAt: story.now + 8_000, graceMs: 500 } }
  story.settle()
  t.equal(story.routes, before)
  t.end()
})

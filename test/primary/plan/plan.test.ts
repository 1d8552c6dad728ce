import t from 'tap'
import { PlanStory } from '../../helpers/plan-story.js'

void t.test('all places are filled at once, and again when a process is lost', t => {
  const story = new PlanStory(2, {}, 1)
  t.strictSame(story.settle(), ['start worker 1', 'start balancer 1', 'start worker 2'])
  story.proves('balancer 1').proves('worker 1').settle()
  t.strictSame(story.exits('worker 1').settle(), ['lose worker 1: now', 'forget worker 1', 'start worker 3'])
  t.strictSame(story.exits('balancer 1').settle(), ['lose balancer 1: now', 'forget balancer 1', 'start balancer 2'])
  t.equal(story.child('worker 3').spec.place, 0)
  t.end()
})

void t.test('a process that exits early is started again after a back-off', t => {
  const story = new PlanStory(1)
  story.settle()
  t.strictSame(story.exits('worker 1').settle(), ['lose worker 1: backoff', 'forget worker 1'])
  t.strictSame(story.wait(199).settle(), [])
  t.strictSame(story.wait(1).settle(), ['start worker 2'])
  t.end()
})

void t.test('a process that a request has ended early is replaced at once', t => {
  const story = new PlanStory(1)
  story.settle()
  story.child('worker 1').pardoned = true
  t.strictSame(story.exits('worker 1').settle(), ['lose worker 1: now', 'forget worker 1', 'start worker 2'])
  t.end()
})

void t.test('a loss that turns out to be the fault of a request is taken back, and its place is filled at once', t => {
  const story = new PlanStory(1)
  story.settle()
  t.strictSame(story.exits('worker 1').settle(), ['lose worker 1: backoff', 'forget worker 1'])
  t.strictSame(story.pardons('worker 2').settle(), [], 'unless it was another process')
  t.strictSame(story.pardons('worker 1').settle(), ['start worker 2'])
  t.strictSame(story.history.restarts.worker.earlyExits, [])
  t.end()
})

void t.test('a successor that fails again and again is not started without a pause', t => {
  const story = PlanStory.serving(1)
  story.child('worker 1').replaceReason = 'SIGTERM'
  t.strictSame(story.settle(), ['start worker 2'])
  t.strictSame(story.exits('worker 2').settle(), ['lose worker 2: backoff', 'forget worker 2'])
  t.strictSame(story.wait(200).settle(), ['start worker 3'])
  t.strictSame(story.exits('worker 3').wait(399).settle(), ['lose worker 3: backoff', 'forget worker 3'])
  t.strictSame(story.wait(400).settle(), ['start worker 4'])
  t.end()
})

void t.test('a crashed worker is replaced before it exits, and its exit is not a second loss', t => {
  const story = PlanStory.serving(1)
  story.child('worker 1').crash(story.now)
  t.strictSame(story.settle(), ['lose worker 1: now', 'drain worker 1', 'start worker 2'])
  t.strictSame(story.exits('worker 1').settle(), ['forget worker 1'])
  t.end()
})

void t.test('a worker that asks to be replaced serves until its successor is proven', t => {
  const story = PlanStory.serving(1)
  story.child('worker 1').replaceReason = 'SIGTERM'
  t.strictSame(story.settle(), ['start worker 2'])
  t.strictSame(story.proves('worker 2').settle(), ['drain worker 1'])
  t.end()
})

void t.test('a successor that is to be replaced is replaced once it holds the place', t => {
  const story = PlanStory.serving(1)
  story.child('worker 1').replaceReason = 'SIGTERM'
  story.settle()
  story.child('worker 2').replaceReason = 'SIGTERM'
  t.strictSame(story.settle(), [])
  t.strictSame(story.proves('worker 2').settle(), ['drain worker 1', 'start worker 3'])
  t.end()
})

void t.test('additional workers start at once, and surplus ones drain once all wanted ones serve', t => {
  const story = PlanStory.serving(2)
  story.desired = { ...story.desired, releases: [{ id: 'live', workers: 3 }] }
  t.strictSame(story.settle(), ['start worker 3'])
  story.proves('worker 3').settle()
  story.exits('worker 1')
  story.desired = { ...story.desired, releases: [{ id: 'live', workers: 1 }] }
  t.strictSame(story.settle(), ['lose worker 1: now', 'forget worker 1', 'start worker 4'])
  t.strictSame(story.proves('worker 4').settle(), ['drain worker 2', 'drain worker 3'])
  t.end()
})

void t.test('a release takes the place of another when its workers are proven', t => {
  const story = PlanStory.serving(1)
  story.desired = { ...story.desired, releases: [{ id: 'next', workers: 1 }] }
  t.strictSame(story.settle(), ['start worker 2'])
  t.equal(story.child('worker 2').spec.release, 'next')
  t.strictSame(story.proves('worker 2').settle(), ['drain worker 1'])
  t.end()
})

void t.test('a drain that takes too long is cut, and a process that stops too slowly is killed', t => {
  const story = PlanStory.serving(1, { drainTimeoutMs: 5_000 })
  story.child('worker 1').replaceReason = 'SIGTERM'
  story.settle()
  t.strictSame(story.proves('worker 2').settle(), ['drain worker 1'])
  t.strictSame(story.wait(4_999).settle(), [])
  t.strictSame(story.wait(1).settle(), ['stop worker 1 within 500 ms'])
  t.strictSame(story.wait(1_499).settle(), [])
  t.strictSame(story.wait(1).settle(), ['kill worker 1'])
  t.end()
})

void t.test('a shutdown drains the workers and ends the balancers, then the workers', t => {
  const story = new PlanStory(1, {}, 1)
  story.settle()
  story.proves('balancer 1').proves('worker 1').settle()
  story.desired = { ...story.desired, shutdown: { cutAt: story.now + 8_000, graceMs: 500 } }
  t.strictSame(story.settle(), ['drain worker 1', 'stop balancer 1 within 8000 ms'])
  t.strictSame(story.wait(1_000).exits('balancer 1').settle(), ['forget balancer 1', 'stop worker 1 within 7000 ms'])
  t.strictSame(story.wait(7_500).settle(), ['kill worker 1'])
  t.strictSame(story.exits('worker 1').settle(), ['forget worker 1'], 'and nothing is started')
  t.end()
})

import t from 'tap'
import { PlanStory } from '../../helpers/plan-story.js'

void t.test('a process without a heartbeat for ten seconds is killed and replaced', t => {
  const story = PlanStory.serving(1)
  story.child('worker 1').hung = true
  t.strictSame(story.wait(9_999).settle(), [])
  t.strictSame(story.wait(1).settle(), ['kill worker 1: no heartbeat for 10 s'])
  t.strictSame(story.exits('worker 1').settle(), ['lose worker 1: now', 'forget worker 1', 'start worker 2'])
  t.end()
})

void t.test('a worker that hangs while it drains is killed', t => {
  const story = PlanStory.serving(1)
  story.child('worker 1').replaceReason = 'SIGTERM'
  story.settle()
  story.proves('worker 2').settle()
  story.child('worker 1').hung = true
  t.strictSame(story.wait(10_000).settle(), ['kill worker 1: no heartbeat for 10 s'])
  t.end()
})

void t.test('a process that sends heartbeats but is not ready within thirty seconds is killed', t => {
  const story = new PlanStory(1)
  story.settle()
  t.strictSame(story.wait(29_999).settle(), [])
  t.strictSame(story.wait(1).settle(), ['kill worker 1: not ready within 30 s'])
  t.end()
})

void t.test('a process may be silent while it starts', t => {
  const story = new PlanStory(1)
  story.settle()
  story.child('worker 1').hung = true
  t.strictSame(story.wait(20_000).settle(), [])
  t.end()
})

void t.test('a successor that is ready but that no balancer finds healthy is killed', t => {
  const story = PlanStory.serving(1)
  story.child('worker 1').replaceReason = 'SIGTERM'
  story.settle()
  story.child('worker 2').ready(story.now)
  t.strictSame(story.wait(29_999).settle(), [])
  t.strictSame(story.wait(1).settle(), ['kill worker 2: not healthy within 30 s'])
  t.end()
})

void t.test('after a sleep of the primary no process is killed for its silence', t => {
  const story = PlanStory.serving(1)
  story.child('worker 1').hung = true
  story.now += 3_600_000
  story.awakeSince = story.now
  t.strictSame(story.settle(), [])
  t.strictSame(story.wait(10_000).settle(), ['kill worker 1: no heartbeat for 10 s'])
  t.end()
})

import t from 'tap'
import { PlanStory } from '../../helpers/plan-story.js'

const LIMIT = 200

void t.test('workers over the memory limit are replaced, one at a time', t => {
  const story = PlanStory.serving(2, { workerMaxMemory: LIMIT })
  for (const child of story.children()) child.rssBytes = LIMIT + 1
  t.strictSame(story.settle(), ['replace worker 1: over memory limit (201 of 200 bytes)', 'start worker 3'])
  story.proves('worker 3').settle()
  story.child('worker 1').drained = true
  story.settle()
  t.strictSame(story.settle(), [], 'the first has not exited yet')
  t.match(story.exits('worker 1').settle(), ['forget worker 1', /^replace worker 2/, 'start worker 4'])
  t.end()
})

void t.test('a worker at its memory limit is kept', t => {
  const story = PlanStory.serving(1, { workerMaxMemory: LIMIT })
  story.child('worker 1').rssBytes = LIMIT
  t.strictSame(story.settle(), [])
  t.end()
})

void t.test('a limit that every worker exceeds causes one replacement a minute in each place', t => {
  const story = PlanStory.serving(1, { workerMaxMemory: LIMIT })
  story.child('worker 1').rssBytes = LIMIT + 1
  story.settle()
  const replacedAt = story.now
  story.proves('worker 2').settle()
  story.child('worker 1').drained = true
  story.settle()
  story.exits('worker 1').settle()
  story.child('worker 2').rssBytes = LIMIT + 1
  t.strictSame(story.settle(), ['tolerate worker 2'])
  t.strictSame(story.wait(30_000).settle(), [], 'said once')
  t.match(story.wait(60_000 - (story.now - replacedAt)).settle(), [/^replace worker 2/, 'start worker 3'])
  t.end()
})

void t.test('no worker is replaced for its memory while a surplus one is about to leave', t => {
  const story = PlanStory.serving(2, { workerMaxMemory: LIMIT })
  story.child('worker 1').rssBytes = LIMIT + 1
  story.child('worker 2').replaceReason = 'SIGTERM'
  story.desired = { ...story.desired, releases: [{ id: 'live', workers: 1 }] }
  t.strictSame(story.settle(), ['drain worker 2'])
  t.match(story.exits('worker 2').settle(), ['forget worker 2', /^replace worker 1/, 'start worker 3'])
  t.end()
})

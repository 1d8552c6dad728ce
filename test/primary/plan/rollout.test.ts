import t from 'tap'
import { PlanStory } from '../../helpers/plan-story.js'

/** Replaces the worker of the place in turn, up to the exit of the old one. */
function replace(story: PlanStory, old: string, fresh: string): void {
  story.settle()
  story.proves(fresh).settle()
  story.child(old).drained = true
  story.settle()
  story.exits(old).settle()
}

void t.test('a reload replaces one place after the other, each by a worker that is proven', t => {
  const story = PlanStory.serving(2).reload()
  t.strictSame(story.settle(), ['start worker 3'])
  story.child('worker 3').ready(story.now)
  story.child('worker 3').reachable = true
  t.strictSame(story.wait(999).settle(), [], 'it has not served for long enough')
  t.strictSame(story.wait(1).settle(), ['drain worker 1'])
  story.child('worker 1').drained = true
  t.strictSame(story.settle(), ['stop worker 1 within 30000 ms'])
  t.strictSame(story.exits('worker 1').settle(), ['forget worker 1', 'start worker 4'])
  story.proves('worker 4').settle()
  story.child('worker 2').drained = true
  story.settle()
  t.strictSame(story.exits('worker 2').settle(), ['forget worker 2', 'settle 1'])
  t.end()
})

void t.test('the next place waits for a worker that still drains, but for no longer than ten seconds', t => {
  const story = PlanStory.serving(2).reload()
  story.settle()
  t.strictSame(story.proves('worker 3').settle(), ['drain worker 1'])
  t.strictSame(story.wait(9_999).settle(), [])
  t.strictSame(story.wait(1).settle(), ['start worker 4'])
  t.end()
})

void t.test('a successor that no balancer reaches does not replace its predecessor', t => {
  const story = PlanStory.serving(1).reload()
  story.settle()
  story.child('worker 2').ready(story.now)
  t.strictSame(story.wait(20_000).settle(), [])
  t.strictSame(story.wait(10_000).settle(), ['kill worker 2: not healthy within 30 s'])
  t.strictSame(story.exits('worker 2').settle(), ['abandon 1 after 0', 'forget worker 2'])
  t.equal(story.child('worker 1').state, 'ready')
  t.end()
})

void t.test('a reload that is given up stops the worker that starts, and the next reload replaces all', t => {
  const story = PlanStory.serving(2).reload()
  replace(story, 'worker 1', 'worker 3')
  t.strictSame(story.giveUpReload().settle(), ['stop worker 4 within 0 ms'])
  t.strictSame(story.exits('worker 4').wait(60_000).settle(), ['forget worker 4'])
  story.desired = { ...story.desired, releases: [{ id: 'live', workers: 3 }] }
  t.strictSame(story.settle(), ['start worker 5'])
  t.equal(story.child('worker 5').spec.generation, 0, 'the reload that was given up is not wanted')
  story.proves('worker 5').reload()
  t.strictSame(story.settle(), ['start worker 6'])
  t.end()
})

void t.test('a reload that is over is not given up', t => {
  const story = PlanStory.serving(1).reload()
  replace(story, 'worker 1', 'worker 2')
  story.giveUpReload().settle()
  t.match(story.history, { settled: 1, abandonedUpTo: 0 })
  t.end()
})

void t.test('a reload whose new worker does not become ready is abandoned, and the old workers keep serving', t => {
  const story = PlanStory.serving(3).reload()
  replace(story, 'worker 1', 'worker 4')
  t.ok(story.child('worker 5'), 'the second place is in turn')
  t.strictSame(story.exits('worker 5').settle(), ['abandon 1 after 1', 'forget worker 5'])
  t.strictSame(story.wait(60_000).settle(), [])
  t.strictSame(
    story.children().map(({ name, state }) => [name, state]),
    [
      ['worker 2', 'ready'],
      ['worker 3', 'ready'],
      ['worker 4', 'ready'],
    ],
  )
  t.end()
})

void t.test('a reload fails when a new worker exits after it has served, and a begun replacement is stopped', t => {
  const story = PlanStory.serving(2).reload()
  replace(story, 'worker 1', 'worker 3')
  t.equal(story.child('worker 4').state, 'starting')
  t.strictSame(story.exits('worker 3').settle(), [
    'abandon 1 after 0',
    'lose worker 3: now',
    'forget worker 3',
    'start worker 5',
    'stop worker 4 within 0 ms',
  ])
  t.end()
})

void t.test('an old worker that exits during a reload is replaced by a new one', t => {
  const story = PlanStory.serving(2).reload()
  story.settle()
  story.exits('worker 2')
  t.strictSame(story.settle(), ['lose worker 2: now', 'forget worker 2', 'start worker 4'])
  t.equal(story.child('worker 4').spec.generation, 1)
  t.end()
})

void t.test('the successor takes the place of an old worker that exits while it starts', t => {
  const story = PlanStory.serving(1).reload()
  story.settle()
  t.strictSame(story.exits('worker 1').settle(), ['lose worker 1: now', 'forget worker 1'])
  t.strictSame(story.proves('worker 2').settle(), ['settle 1'])
  t.end()
})

void t.test('a reload fills a parked place at once, because the code may be fixed', t => {
  const story = new PlanStory(1)
  story.settle()
  const parked = (): boolean =>
    story
      .exits(story.children()[0]!.name)
      .settle()
      .some(said => said.endsWith('park'))
  for (let delayMs = 200; !parked(); delayMs = Math.min(delayMs * 2, 30_000)) {
    story.wait(delayMs).settle()
    if (story.now > 10_000) story.now = 10_000 // the clock is held back, so that all exits fall into one window
  }
  t.strictSame(story.settle(), [])
  t.match(story.reload().settle(), [/^start worker/])
  t.end()
})

void t.test('a reload that is requested during another replaces the new workers of that one', t => {
  const story = PlanStory.serving(2).reload()
  replace(story, 'worker 1', 'worker 3')
  story.reload()
  story.proves('worker 4').settle()
  story.child('worker 2').drained = true
  story.settle()
  t.strictSame(story.exits('worker 2').settle(), ['forget worker 2', 'start worker 5', 'settle 1'])
  t.equal(story.child('worker 5').spec.place, 0)
  t.equal(story.child('worker 5').spec.generation, 2)
  t.end()
})

void t.test('a reload of no workers is over at once', t => {
  const story = new PlanStory(0).reload()
  t.strictSame(story.settle(), ['settle 1'])
  t.end()
})

void t.test('a reload that is requested after a failed one is of a new generation', t => {
  const story = PlanStory.serving(1).reload()
  story.settle()
  t.strictSame(story.exits('worker 2').settle(), ['abandon 1 after 0', 'forget worker 2'])
  t.strictSame(story.reload().settle(), ['start worker 3'])
  t.equal(story.child('worker 3').spec.generation, 2)
  t.end()
})

void t.test('a reload is not over while an old worker that has just crashed drains', t => {
  const story = PlanStory.serving(1).reload()
  story.settle()
  story.child('worker 2').ready(story.now)
  story.child('worker 1').crash(story.now)
  t.strictSame(story.settle(), ['lose worker 1: now', 'drain worker 1'])
  t.strictSame(story.exits('worker 1').settle(), ['forget worker 1', 'settle 1'])
  t.end()
})

void t.test('a worker of a failed reload that exits does not fail the next reload', t => {
  const story = PlanStory.serving(2).reload()
  replace(story, 'worker 1', 'worker 3')
  t.match(story.exits('worker 4').settle(), ['abandon 1 after 1', 'forget worker 4'])
  story.reload()
  t.strictSame(story.exits('worker 3').settle(), ['lose worker 3: now', 'forget worker 3', 'start worker 5'])
  t.equal(story.child('worker 5').spec.generation, 2)
  t.end()
})

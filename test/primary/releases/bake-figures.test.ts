import t from 'tap'
import { bucketOf } from '#balancer/contract/latency-buckets.js'
import { judge, type Verdict } from '#src/primary/plan/bake-verdict.js'
import { BakeFigures } from '#src/primary/releases/bake-figures.js'
import { Chance } from '#scripts/lib/chance.js'

/** How a simulated app behaves. */
interface Story {
  /** Requests a second of all clients. */
  rate: number
  seconds: number
  share: number
  /** The latency of answers of the release before, in milliseconds, and its spread. */
  median: number
  spread: number
  /** How much slower the new release is once it is warm. */
  slower: number
  /** How much slower its first answers are, beside that, and how fast this ends, in seconds. */
  cold: number
  warmS: number
}

/** Balancers report so often. */
const REPORT_MS = 500

/** One number of a normal distribution (Box and Muller). */
function normal(chance: Chance): number {
  return Math.sqrt(-2 * Math.log(1 - chance.next())) * Math.cos(2 * Math.PI * chance.next())
}

/** The verdict of a trial of one stage. */
function bake(story: Story, chance: Chance): Verdict {
  return play(new BakeFigures('r1', 'r2'), story, 0, chance)
}

/** Plays one stage. @returns what the first look says that finds the new release worse, else the last look */
function play(figures: BakeFigures, story: Story, begunAt: number, chance: Chance): Verdict {
  figures.beginStage(story.seconds * 1_000, begunAt)
  let verdict: Verdict = { kind: 'as-good' }
  for (let now = REPORT_MS; now <= story.seconds * 1_000; now += REPORT_MS) {
    // What else the machine does slows both down.
    const busy = 1 + chance.next() ** 4
    const counts = { '': new Map<number, number>(), r2: new Map<number, number>() }
    for (let i = 0; i < (story.rate * REPORT_MS) / 1_000; i++) {
      const release = chance.happens(story.share) ? 'r2' : ''
      const cold = 1 + story.cold * Math.exp(-now / 1_000 / story.warmS)
      const factor = release === 'r2' ? story.slower * cold : 1
      const bucket = bucketOf(story.median * Math.exp(story.spread * normal(chance)) * busy * factor)
      counts[release].set(bucket, (counts[release].get(bucket) ?? 0) + 1)
    }
    const sides = Object.entries(counts).map(([release, latencies]) => {
      const answered = [...latencies.values()].reduce((sum, count) => sum + count, 0)
      return { release, answered, failed: 0, broken: 0, latencies: [...latencies] }
    })
    figures.add(sides, begunAt + now)
    verdict = judge(figures.facts)
    if (verdict.kind === 'worse') return verdict
  }
  return verdict
}

const BAKES = 200

/** How many of so many trials found the new release to be worse. */
function worseOf(make: (chance: Chance) => Story): number {
  const chance = new Chance(19)
  let worse = 0
  for (let i = 0; i < BAKES; i++) if (bake(make(chance), chance).kind === 'worse') worse += 1
  return worse
}

const anyApp = (chance: Chance): Story => ({
  rate: chance.between(60, 600),
  seconds: 10,
  share: 0.2,
  median: chance.between(2, 200),
  spread: 0.2 + chance.next() * 0.5,
  slower: 1,
  cold: 0,
  warmS: 1,
})

void t.test('the same code is not judged worse', t => {
  const worse = worseOf(anyApp)
  t.ok(worse <= BAKES / 100, `${worse} of ${BAKES}`)
  t.end()
})

void t.test('the same code is not judged worse because its workers are cold', t => {
  // A release that takes longer needs a longer stage: what counts as cold grows with it.
  const stories: Array<[seconds: number, warmS: number, atMost: number]> = [
    [10, 0.5, 0.01],
    [10, 1, 0.01],
    [10, 2, 0.01],
    [10, 4, 0.05],
    [60, 4, 0.01],
  ]
  for (const [seconds, warmS, atMost] of stories) {
    const worse = worseOf(chance => ({ ...anyApp(chance), seconds, cold: 1 + chance.next() * 15, warmS }))
    t.ok(worse <= BAKES * atMost, `${worse} of ${BAKES} that take ${warmS} s, in ${seconds} s`)
  }
  t.end()
})

void t.test('one that is three times slower is found in ten seconds, also if it is cold at first', t => {
  const stories: Array<[warmS: number, atLeast: number]> = [
    [0.5, 0.97],
    [1, 0.95],
    [2, 0.9],
  ]
  for (const [warmS, atLeast] of stories) {
    const story = (chance: Chance): Story => ({
      ...anyApp(chance),
      rate: chance.between(150, 600),
      median: chance.between(10, 200),
      slower: 3,
      cold: chance.next() * 5,
      warmS,
    })
    const worse = worseOf(story)
    t.ok(worse >= BAKES * atLeast, `${worse} of ${BAKES} that take ${warmS} s to get warm`)
  }
  t.end()
})

void t.test('a stage that is too short, or has too few answers, compares no latencies, and the verdict says so', t => {
  const slow = { ...anyApp(new Chance(1)), rate: 300, slower: 3, median: 50 }
  const said = { kind: 'too-little', reason: /latencies were not compared/ }
  t.match(bake({ ...slow, seconds: 5 }, new Chance(1)), said)
  t.match(bake({ ...slow, rate: 60, share: 0.1, seconds: 20 }, new Chance(1)), said)
  t.match(bake(slow, new Chance(1)), { kind: 'worse', reason: /took longer/ })
  t.end()
})

void t.test('each stage begins with new workers, which are cold', t => {
  const figures = new BakeFigures('r1', 'r2')
  const story = { ...anyApp(new Chance(2)), rate: 300, median: 50 }
  t.equal(play(figures, { ...story, seconds: 8 }, 0, new Chance(2)).kind, 'as-good')
  t.equal(play(figures, { ...story, seconds: 8, cold: 9, warmS: 0.5 }, 8_000, new Chance(2)).kind, 'as-good')
  t.equal(play(figures, { ...story, seconds: 8, slower: 3 }, 16_000, new Chance(2)).kind, 'worse')
  t.end()
})

import t from 'tap'
import { CLIENT_GROUPS } from '#balancer/contract/client-groups.js'
import { bucketOf, type ReleaseFigures } from '#balancer/contract/latency-buckets.js'
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
  /** How often the new release fails. */
  failing?: number
  /** All clients are one. */
  isOneClient?: boolean
  /** One client that asks the new release alone for what is slow or fails in either, so often a second. */
  hostile?: { rate: number; ms: number; failing: number }
}

/** The group of the hostile client, among those of the others. */
const HOSTILE = 5

/** Balancers report so often. */
const REPORT_MS = 500

/** One number of a normal distribution (Box and Muller). */
function normal(chance: Chance): number {
  return Math.sqrt(-2 * Math.log(1 - chance.next())) * Math.cos(2 * Math.PI * chance.next())
}

/** The counts of balancers until they report. */
class Counts {
  readonly #figures = new Map<string, ReleaseFigures & { byBucket: Map<number, number> }>()

  add(release: string, clients: number, ms: number, fails: boolean): void {
    const key = `${release} ${clients}`
    let figures = this.#figures.get(key)
    if (figures === undefined) {
      figures = { release, clients, answered: 0, failed: 0, broken: 0, latencies: [], byBucket: new Map() }
      this.#figures.set(key, figures)
    }
    figures.answered += 1
    if (fails) figures.failed += 1
    const bucket = bucketOf(ms)
    figures.byBucket.set(bucket, (figures.byBucket.get(bucket) ?? 0) + 1)
  }

  all(): ReleaseFigures[] {
    return [...this.#figures.values()].map(({ byBucket, ...figures }) => ({ ...figures, latencies: [...byBucket] }))
  }
}

/** The verdict of a trial of one stage. */
function bake(story: Story, chance: Chance): Verdict {
  return play(new BakeFigures('r1', 'r2'), story, 0, chance)
}

/** Plays one stage. @returns what the first look says that finds the new release worse, else the last look */
function play(
  figures: BakeFigures,
  story: Story,
  begunAt: number,
  chance: Chance,
  onLook?: (ms: number) => void,
): Verdict {
  figures.beginStage(story.seconds * 1_000, begunAt)
  let verdict: Verdict = { kind: 'as-good' }
  for (let now = REPORT_MS; now <= story.seconds * 1_000; now += REPORT_MS) {
    // Other work of the machine slows both down.
    const busy = 1 + chance.next() ** 4
    const counts = new Counts()
    const { rate = 0, ms = 0, failing = 0 } = story.hostile ?? {}
    for (let i = 0; i < (rate * REPORT_MS) / 1_000; i++) counts.add('r2', HOSTILE, ms * busy, chance.happens(failing))
    for (let i = 0; i < (story.rate * REPORT_MS) / 1_000; i++) {
      const release = chance.happens(story.share) ? 'r2' : ''
      const cold = 1 + story.cold * Math.exp(-now / 1_000 / story.warmS)
      const factor = release === 'r2' ? story.slower * cold : 1
      const latency = story.median * Math.exp(story.spread * normal(chance)) * busy * factor
      const clients = story.isOneClient === true ? 0 : chance.between(0, CLIENT_GROUPS - 1)
      counts.add(release, clients, latency, release === 'r2' && chance.happens(story.failing ?? 0))
    }
    figures.add(counts.all(), begunAt + now)
    const mayWait = now < story.seconds * 1_000
    verdict = judge(figures.facts, { without: figures.without, mayWait })
    onLook?.(now)
    if (verdict.kind === 'worse') return verdict
  }
  return verdict
}

const BAKES = 100

/** How many of so many trials found the new release to be worse. */
function worseOf(make: (chance: Chance) => Story, bakes = BAKES): number {
  const chance = new Chance(19)
  let worse = 0
  for (let i = 0; i < bakes; i++) if (bake(make(chance), chance).kind === 'worse') worse += 1
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
  // It also takes longer to play, so there are fewer of that one.
  const stories: Array<[seconds: number, warmS: number, atMost: number, bakes: number]> = [
    [10, 0.5, 0.01, BAKES],
    [10, 1, 0.01, BAKES],
    [10, 2, 0.01, BAKES],
    [10, 4, 0.05, BAKES],
    [60, 4, 0.01, BAKES / 2],
  ]
  for (const [seconds, warmS, atMost, bakes] of stories) {
    const worse = worseOf(chance => ({ ...anyApp(chance), seconds, cold: 1 + chance.next() * 15, warmS }), bakes)
    t.ok(worse <= bakes * atMost, `${worse} of ${bakes} that take ${warmS} s, in ${seconds} s`)
  }
  t.end()
})

void t.test('a release that is three times slower is found in ten seconds, also if it is cold at first', t => {
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

const ATTACKS = 30

/** A good release and a client that wants it to be taken back. */
const attacked = (chance: Chance, hostile: NonNullable<Story['hostile']>): Story => ({
  ...anyApp(chance),
  rate: chance.between(150, 600),
  hostile,
})

void t.test('one client that asks the new release only for what fails does not have it taken back', t => {
  for (const [rate, failing] of [
    [5, 1],
    [100, 1],
    [600, 1],
    [600, 0.05],
  ] as const) {
    const worse = worseOf(chance => attacked(chance, { rate, ms: 10, failing }), ATTACKS)
    t.equal(worse, 0, `${worse} of ${ATTACKS} with ${rate} requests a second, ${failing * 100} % of which fail`)
  }
  const story = attacked(new Chance(3), { rate: 100, ms: 10, failing: 1 })
  t.match(bake(story, new Chance(3)), { kind: 'one-client', reason: /one client alone.*of its requests failed/ })
  t.end()
})

void t.test('one client that asks the new release only for what is slow does not have it taken back', t => {
  for (const [rate, ms] of [
    [5, 1_000],
    [100, 400],
    [600, 1_000],
  ] as const) {
    const story = (chance: Chance): Story => ({
      ...attacked(chance, { rate, ms, failing: 0 }),
      median: chance.between(2, 50),
    })
    const worse = worseOf(story, ATTACKS)
    t.equal(worse, 0, `${worse} of ${ATTACKS} with ${rate} requests a second of ${ms} ms`)
  }
  t.end()
})

void t.test('a bad release is found although a client is hostile', t => {
  const hostile = { rate: 600, ms: 1_000, failing: 0.5 }
  t.equal(
    worseOf(chance => ({ ...attacked(chance, hostile), failing: 0.05 }), ATTACKS),
    ATTACKS,
  )
  const slow = (chance: Chance): Story => ({ ...attacked(chance, hostile), median: chance.between(10, 50), slower: 3 })
  t.ok(worseOf(slow, ATTACKS) >= ATTACKS * 0.95)
  t.end()
})

/** When a release was found to be worse. */
function foundAt(story: Story, seed: number): { kind: string; ms: number } {
  const chance = new Chance(seed)
  let ms = 0
  const { kind } = play(new BakeFigures('r1', 'r2'), story, 0, chance, now => (ms = now))
  return { kind, ms }
}

void t.test('the only client there is decides, and at once', t => {
  for (let seed = 1; seed <= 20; seed++) {
    const only = { ...anyApp(new Chance(seed)), rate: 300, median: 20, isOneClient: true }
    const failing = foundAt({ ...only, failing: 0.2 }, seed)
    t.ok(failing.kind === 'worse' && failing.ms <= 2_000, `${failing.kind} after ${failing.ms} ms`)
    t.equal(foundAt({ ...only, slower: 3 }, seed).kind, 'worse')
  }
  t.end()
})

void t.test('a client decides at the end of the stage if the others have asked next to nothing', t => {
  for (let seed = 1; seed <= 20; seed++) {
    const few = { ...anyApp(new Chance(seed)), rate: 8 }
    const found = foundAt({ ...few, hostile: { rate: 300, ms: 10, failing: 0.2 } }, seed)
    t.strictSame(found, { kind: 'worse', ms: few.seconds * 1_000 })
  }
  t.end()
})

import t from 'tap'
import {
  ramp,
  recordings,
  sawtooth,
  spike,
  step,
  STEP_AT,
  night,
  type Recording,
} from '#scripts/lib/autoscale/recordings.js'
import { replay, type Replayed } from '#scripts/lib/autoscale/replay.js'
import { ownRule, wattRule } from '#scripts/lib/autoscale/rules.js'
import { usualPool } from '#scripts/lib/autoscale/simulated-pool.js'
import { autoscale, noAutoscaleHistory, type AutoscaleHistory } from '#src/primary/plan/autoscale.js'

const limits = { min: 1, max: 8, cores: 8, places: 256 }
const SEEDS = [1, 2]
/** One worker can do so many requests in a second. */
const RATE_OF_WORKER = 1_000 / usualPool.workMs

const known = new Map<string, Replayed>()

function own(recording: Recording, seed: number, range: { min?: number; max?: number } = {}): Replayed {
  const key = `${recording.name} ${seed} ${JSON.stringify(range)}`
  const rule = ownRule({ ...limits, ...range })
  const replayed = known.get(key) ?? replay(recording, rule, range.min ?? limits.min, { ...usualPool, seed })
  known.set(key, replayed)
  return replayed
}

/** How long workers must be wanted before one is ended. */
function shortestStay({ changes }: Replayed): number {
  return changes.reduce((least, { second, from, to }, index) => {
    const growth = changes.slice(0, index).findLast(change => change.to > change.from)
    return to < from && growth !== undefined ? Math.min(least, second - growth.second) : least
  }, Infinity)
}

void t.test('a step is followed within 3 s', t => {
  for (const seed of SEEDS) {
    const { wanted, changes } = own(step, seed)
    t.ok(
      changes.every(({ second, to, from }) => to < from || second >= STEP_AT),
      'not before it',
    )
    t.ok((wanted[STEP_AT + 2] ?? 0) >= 400 / RATE_OF_WORKER, `${wanted[STEP_AT + 2]} workers 3 s after it`)
  }
  t.end()
})

void t.test('in each recording the pool grows at once and shrinks slowly', t => {
  for (const recording of recordings) {
    for (const seed of SEEDS) {
      const replayed = own(recording, seed)
      const { changes } = replayed
      const shrinks = changes.filter(({ from, to }) => to < from)
      t.ok(shrinks.length > 0 && shrinks.every(({ from, to }) => to === from - 1), 'one worker at a time')
      t.ok(shortestStay(replayed) >= 60, `${recording.name}: no worker is ended within 60 s of a start`)
      for (const [index, { second }] of shrinks.entries()) {
        t.ok(second - (shrinks[index - 1]?.second ?? -Infinity) >= 10, 'not within 10 s of each other')
      }
    }
  }
  t.end()
})

void t.test('a ramp is followed before many requests are slow', t => {
  for (const seed of SEEDS) t.ok(own(ramp, seed).secondsOver <= 3)
  t.end()
})

void t.test('after a spike the pool returns to its minimum', t => {
  for (const seed of SEEDS) t.equal(own(spike, seed).wanted.at(-1), 1)
  t.end()
})

void t.test('each tooth of a sawtooth is followed', t => {
  const { wanted } = own(sawtooth, 1)
  for (let tooth = 0; tooth < 5; tooth++) t.ok((wanted[tooth * 150 + 89] ?? 0) >= 4, `tooth ${tooth + 1}`)
  t.end()
})

void t.test('one worker is left at night, and the next day has as many as the first', t => {
  const { wanted } = own(night, 1)
  t.equal(wanted[wanted.length / 2], 1)
  t.ok((wanted.at(-1) ?? 0) >= 4)
  t.end()
})

void t.test('a constant load changes the pool less and less often', t => {
  for (const rate of [10, 55, 60, 120]) {
    const { changes } = own({ name: `${rate} a second`, perSecond: Array.from({ length: 3_600 }, () => rate) }, 1)
    const late = changes.filter(({ second }) => second > 1_800)
    t.ok(
      changes.length <= 14 && late.length <= 5,
      `${rate}/s: ${changes.length} changes, ${late.length} in the last half`,
    )
  }
  t.end()
})

void t.test('the pool keeps to its range', t => {
  for (const recording of [step, spike]) {
    const { wanted } = own(recording, 1, { min: 2, max: 3 })
    t.strictSame([...new Set(wanted)].sort(), [2, 3], recording.name)
  }
  t.end()
})

void t.test('each change has one line that says why', t => {
  const { changes, reasons } = own(step, 1)
  for (const { second, from, to } of changes) {
    const [line] = reasons.filter(reason => reason.second === second)
    t.match(
      line?.reason,
      new RegExp(`^pool (grows|shrinks) from ${from} to ${to} workers?: load by event loops in the last`),
    )
    t.notMatch(line?.reason, '\n')
  }
  t.end()
})

void t.test(
  'every recording takes fewer seconds over the target than by the rule of watt, and all fewer worker-seconds',
  t => {
    for (const seed of SEEDS) {
      let [ours, theirs] = [0, 0]
      for (const recording of recordings) {
        const replayed = own(recording, seed)
        const watt = replay(recording, wattRule(limits), limits.min, { ...usualPool, seed })
        t.ok(
          replayed.secondsOver <= watt.secondsOver,
          `${recording.name}: ${replayed.secondsOver}, ${watt.secondsOver}`,
        )
        ours += replayed.workerSeconds
        theirs += watt.workerSeconds
      }
      t.ok(ours < 0.95 * theirs, `${ours} and ${theirs} worker-seconds`)
    }
    t.end()
  },
)

const GIB = 2 ** 30

/** Looks of the policy at workers that are all alike. */
class Looks {
  wanted = 1
  reasons: string[] = []
  #history: AutoscaleHistory = noAutoscaleHistory
  #now = 0

  constructor(private readonly facts: { cores?: number; freeBytes?: number; max?: number }) {}

  /** One look a second. */
  look(seconds: number, vitals: { loopUse?: number; inFlight?: number; cpuUse?: number }): this {
    const { cores = 8, freeBytes = 100 * GIB, max = 8 } = this.facts
    for (let second = 0; second < seconds; second++) {
      const worker = {
        inFlight: 0,
        streaming: 0,
        requestsPerSecond: 10,
        loopUse: 0,
        cpuUse: vitals.loopUse ?? 0,
        rssBytes: GIB,
        ...vitals,
      }
      const workers = Array.from({ length: this.wanted }, (_, place) => ({ ...worker, name: `worker ${place}` }))
      const facts = { workers, waiting: 0, otherCpuUse: 0, freeBytes, totalBytes: 10 * GIB }
      const decision = autoscale(this.#history, facts, { ...limits, cores, max }, this.wanted, this.#now)
      this.#history = decision.history
      this.wanted = decision.workers
      if (decision.reason !== undefined) this.reasons.push(decision.reason)
      this.#now += 1_000
    }
    return this
  }
}

void t.test('requests in flight add workers, however little the event loops have to do', t => {
  const looks = new Looks({}).look(1, { inFlight: 240, loopUse: 0.1 })
  t.equal(looks.wanted, 2)
  t.match(looks.reasons, [/load by requests in flight in the last 6 s is 0.9 workers, over 80 % of 1/])
  t.end()
})

void t.test('the reason that holds the pool back is logged once a minute at most', t => {
  for (const [facts, says] of [
    [{ max: 2 }, /^pool stays at 2 workers: .*, and WORKERS allows 2$/],
    [{ cores: 2 }, /^pool stays at 2 workers: .*, and there are 2 cores$/],
    [{ freeBytes: 2.5 * GIB }, /^pool stays at 2 workers: .*, and memory has room for 3 of 1024 MiB each$/],
  ] as const) {
    const looks = new Looks(facts).look(59, { loopUse: 1 })
    const stays = looks.reasons.filter(reason => reason.startsWith('pool stays'))
    if (!('freeBytes' in facts)) t.match(stays, [says])
    t.ok(stays.length <= 1, stays.join('\n'))
  }
  t.end()
})

void t.test('without memory for a worker the pool does not grow', t => {
  const looks = new Looks({ freeBytes: 1.5 * GIB }).look(20, { loopUse: 1 })
  t.equal(looks.wanted, 1)
  t.match(looks.reasons, [/^pool stays at 1 worker: .*, and memory has room for 1 of 1024 MiB each$/])
  t.end()
})

void t.test('there are more workers than cores only if they leave cores unused', t => {
  t.equal(new Looks({ cores: 2 }).look(60, { loopUse: 1, cpuUse: 1 }).wanted, 2)
  t.equal(new Looks({ cores: 2 }).look(60, { loopUse: 1, cpuUse: 0.4 }).wanted, 5)
  t.end()
})

void t.test('a pool out of its range is brought into it', t => {
  const looks = new Looks({ max: 2 })
  looks.wanted = 5
  t.match(looks.look(1, {}), { wanted: 2, reasons: ['pool shrinks from 5 to 2 workers: WORKERS is 1-2'] })
  t.end()
})

import t from 'tap'
import {
  advance,
  beginDeployment,
  dueAt,
  isBlamed,
  releasesOf,
  resumed,
  type Deployment,
  type Stage,
} from '#src/primary/plan/deployment.js'

const STAGES: Stage[] = [
  { share: 0.1, ms: 30_000 },
  { share: 0.5, ms: 10_000 },
]

const begun = (stages: readonly Stage[]): Deployment =>
  beginDeployment({ from: 'r1', to: 'r2', stages, keepWarmMs: 60_000, startMs: 20_000 }, 0)

const facts = (proven: number, fault?: string): Parameters<typeof advance>[1] => ({
  proven: new Set(Array(proven).keys()),
  fault,
  workers: 4,
})

void t.test('a release goes through its stages, and the previous one stays ready for a while', t => {
  let now = 0
  let at = begun(STAGES)
  const after = (ms: number, proven: number): unknown[] => {
    now += ms
    at = advance(at, facts(proven), now)
    return [at.phase, ...releasesOf(at, 4).map(({ id, workers, share }) => `${id} ${workers} ${share ?? 'rest'}`)]
  }
  t.strictSame(after(0, 0), ['starting', 'r1 4 rest', 'r2 1 0'], 'no client gets what is not proven')
  t.strictSame(after(1_000, 1), ['baking', 'r1 4 rest', 'r2 1 0.1'])
  t.strictSame(after(29_999, 1), ['baking', 'r1 4 rest', 'r2 1 0.1'])
  t.strictSame(after(1, 1), ['starting', 'r1 4 rest', 'r2 2 0.1'])
  t.strictSame(after(500, 2), ['baking', 'r1 4 rest', 'r2 2 0.5'])
  t.strictSame(after(10_000, 2), ['filling', 'r1 4 rest', 'r2 4 0.5'])
  t.strictSame(after(10, 3), ['filling', 'r1 4 rest', 'r2 4 0.5'])
  t.strictSame(after(10, 4), ['live', 'r2 4 rest', 'r1 4 0'])
  t.strictSame(after(59_999, 4), ['live', 'r2 4 rest', 'r1 4 0'])
  t.strictSame(after(1, 4), ['over', 'r2 4 rest'])
  t.end()
})

void t.test('without stages all clients get the release once all of its workers are proven', t => {
  const at = begun([])
  t.equal(advance(at, facts(3), 100).phase, 'filling')
  t.equal(advance(at, facts(4), 100).phase, 'live')
  t.end()
})

void t.test('a fault takes the release back in every phase but those in which it is live', t => {
  for (const phase of ['starting', 'baking', 'filling'] as const) {
    const next = advance({ ...begun(STAGES), phase }, facts(4, 'it crashed'), 1)
    t.match(next, { phase: 'taken-back', reason: 'it crashed' })
    t.strictSame(releasesOf(next, 4), [
      { id: 'r1', workers: 4 },
      { id: 'r2', workers: 0, share: 0 },
    ])
  }
  for (const phase of ['live', 'over', 'taken-back'] as const) {
    t.equal(advance({ ...begun(STAGES), phase }, facts(4, 'it crashed'), 1).phase, phase)
  }
  t.end()
})

void t.test('a release whose workers are never found healthy is taken back', t => {
  const at = begun(STAGES)
  t.equal(dueAt(at), 20_000)
  t.equal(advance(at, facts(0), 19_999).phase, 'starting')
  t.match(advance(at, facts(0), 20_000), { phase: 'taken-back', reason: 'a worker was not found healthy within 20 s' })
  t.end()
})

void t.test('after a sleep of the primary, workers and clients have all of their time again', t => {
  for (const phase of ['starting', 'baking', 'filling'] as const) {
    t.equal(resumed({ ...begun(STAGES), phase, since: 5 }, 90_000).since, 90_000, phase)
    t.equal(resumed({ ...begun(STAGES), phase, since: 5 }, 4).since, 5, 'it slept before')
  }
  for (const phase of ['live', 'over', 'taken-back'] as const) {
    t.equal(resumed({ ...begun(STAGES), phase, since: 5 }, 90_000).since, 5, phase)
  }
  t.equal(advance(resumed(begun(STAGES), 90_000), facts(0), 109_999).phase, 'starting')
  t.end()
})

void t.test('a deployment is due when a stage, or the time of the previous release, is over', t => {
  t.equal(dueAt({ ...begun(STAGES), phase: 'baking', since: 5 }), 30_005)
  t.equal(dueAt({ ...begun(STAGES), phase: 'live', since: 5 }), 60_005)
  t.equal(dueAt({ ...begun(STAGES), phase: 'over' }), Infinity)
  t.end()
})

void t.test('after a change of the number of workers, it is the places that are wanted now that count', t => {
  const at = begun([])
  const proven = new Set([0, 1, 3])
  t.equal(advance(at, { proven, fault: undefined, workers: 3 }, 1).phase, 'filling')
  t.equal(advance(at, { proven, fault: undefined, workers: 2 }, 1).phase, 'live')
  t.end()
})

void t.test('a release is blamed for a worker that ends early, or when it has lost more than the one before', t => {
  t.ok(isBlamed({ from: 5, to: 1 }, true))
  t.ok(isBlamed({ from: 0, to: 1 }, false))
  t.ok(isBlamed({ from: 1, to: 2 }, false))
  t.notOk(isBlamed({ from: 1, to: 1 }, false), 'something that both use may be away')
  t.notOk(isBlamed({ from: 2, to: 1 }, false))
  t.end()
})

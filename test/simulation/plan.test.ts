import t from 'tap'
import { plan } from '#src/primary/plan/plan.js'
import { placeKey, type Observed } from '#src/primary/plan/observed.js'
import { noRestarts } from '#src/primary/plan/restart-policy.js'
import { SimulationError, World, type PlanFunction } from './world.js'

const SEEDS = 5_000

function run(seed: number, planned: PlanFunction = plan): SimulationError | undefined {
  try {
    new World(seed, planned).run()
    return undefined
  } catch (error) {
    if (error instanceof SimulationError) return error
    throw error
  }
}

function firstBroken(seeds: number, planned: PlanFunction): SimulationError | undefined {
  for (let seed = 1; seed <= seeds; seed++) {
    const error = run(seed, planned)
    if (error !== undefined) return error
  }
  return undefined
}

void t.test(`the plan keeps its promises in ${SEEDS} stories`, t => {
  const error = firstBroken(SEEDS, plan)
  t.equal(error, undefined, error?.message ?? 'no story breaks a promise')
  t.end()
})

void t.test('a seed gives the same story each time', t => {
  const worse: PlanFunction = (desired, observed, limits, now) => plan(desired, hasty(observed), limits, now)
  const first = firstBroken(100, worse)
  t.ok(first)
  t.strictSame(run(first?.seed ?? 0, worse)?.story, first?.story)
  t.end()
})

/** Counts every ready process as reachable. */
function hasty(observed: Observed): Observed {
  return { ...observed, children: observed.children.map(each => ({ ...each, reachable: each.state === 'ready' })) }
}

/** Plans that are wrong in one way each. */
const mutants: Array<[fault: string, broken: RegExp, planned: PlanFunction]> = [
  [
    'hands over to a successor that no balancer reaches',
    /drains before its successor is proven/,
    (desired, observed, limits, now) => plan(desired, hasty(observed), limits, now),
  ],
  [
    'forgets that a place was lost',
    /spins/,
    (desired, observed, limits, now) => {
      const restarts = { worker: noRestarts, balancer: noRestarts }
      return plan(desired, { ...observed, history: { ...observed.history, restarts } }, limits, now)
    },
  ],
  [
    'overlooks a process that drains',
    /processes for|no place of its own/,
    (desired, observed, limits, now) => {
      const children = observed.children.filter(({ state }) => state !== 'draining')
      return plan(desired, { ...observed, children }, limits, now)
    },
  ],
  [
    'counts a loss again and again',
    /for the second time/,
    (desired, observed, limits, now) => {
      const children = observed.children.map(each => ({ ...each, counted: false }))
      return plan(desired, { ...observed, children }, limits, now)
    },
  ],
  [
    'replaces workers at once, with nobody in their places',
    /successor is proven/,
    (desired, observed, limits, now) => {
      const { actions, history } = plan(desired, observed, limits, now)
      const taken = new Set(actions.flatMap(action => (action.type === 'drain' ? [action.child] : [])))
      const outdated = observed.children.filter(
        ({ name, role, state, generation, leaving }) =>
          role === 'worker' && state === 'ready' && !leaving && generation < desired.generation && !taken.has(name),
      )
      const drains = outdated.map(({ name: child }) => ({ type: 'drain', child }) as const)
      return { actions: [...drains, ...actions], history }
    },
  ],
  [
    'starts a second process for a place that has one',
    /more than two processes|second time|does not come to rest|spins/,
    (desired, observed, limits, now) => {
      const { actions, history } = plan(desired, observed, limits, now)
      const [first] = observed.children.filter(({ role, state }) => role === 'worker' && state === 'starting')
      if (first === undefined || observed.children.some(each => each !== first && placeKey(each) === placeKey(first))) {
        return { actions, history }
      }
      return { actions: [...actions, { type: 'start', spec: first }, { type: 'start', spec: first }], history }
    },
  ],
]

for (const [fault, broken, planned] of mutants) {
  void t.test(`the simulation finds a plan that ${fault}`, t => {
    t.match(firstBroken(300, planned)?.message.split('\n')[0], broken)
    t.end()
  })
}

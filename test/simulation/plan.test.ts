import t from 'tap'
import { plan } from '#src/primary/plan/plan.js'
import { mutatedPlan, type Mutation } from './mutated-plan.js'
import { SimulationError } from './simulated-world.js'
import { World, type PlanFunction } from './world.js'

const SEEDS = 5_000
/** A wrong plan is found within this many stories. */
const SEEDS_TO_FIND = 2_000

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

void t.test('a seed gives the same story each time', async t => {
  const hasty = await mutatedPlan(t, {
    file: 'pass.ts',
    text: 'child?.reachable !== true || child.readyAt === undefined',
    instead: 'child?.readyAt === undefined',
  })
  const first = firstBroken(SEEDS_TO_FIND, hasty)
  t.ok(first)
  t.strictSame(run(first?.seed ?? 0, hasty)?.story, first?.story)
})

/** Plans in which one rule is wrong. */
const mutants: Array<[fault: string, broken: RegExp, mutation: Mutation]> = [
  [
    'sends balancers an empty list',
    /no requests|unknown/,
    { file: 'routing.ts', text: "type: 'route', routes }", instead: "type: 'route', routes: [] }" },
  ],
  [
    'marks ready workers as draining',
    /ready and gets no requests/,
    { file: 'routing.ts', text: 'child: name, draining: false', instead: 'child: name, draining: true' },
  ],
  [
    'sends requests to workers that drain',
    /gets requests/,
    { file: 'routing.ts', text: 'child: name, draining: true', instead: 'child: name, draining: false' },
  ],
  [
    'hands over to a successor that has not proven itself',
    /before its successor is proven/,
    { file: 'places.ts', text: 'isServing(holder) && pass.isProven(successor)', instead: 'isServing(holder)' },
  ],
  [
    'hands over to a successor that no balancer reaches',
    /before its successor is proven|is removed while/,
    {
      file: 'pass.ts',
      text: 'if (child?.reachable !== true || child.readyAt === undefined)',
      instead: 'if (child?.readyAt === undefined)',
    },
  ],
  [
    'never replaces a worker that is to be replaced',
    /is to be replaced, and is not/,
    { file: 'places.ts', text: 'holder.replaceReason !== undefined ||', instead: 'false ||' },
  ],
  [
    'replaces all places at once',
    /at the same time/,
    { file: 'places.ts', text: '(place === inTurn || successor !== undefined)', instead: 'true' },
  ],
  [
    'removes surplus workers before the others are proven',
    /is removed while/,
    {
      file: 'places.ts',
      text: 'pass.places.every(({ holder }) => pass.isProven(holder))',
      instead: 'true',
    },
  ],
  [
    'never removes surplus processes',
    /processes for|withdrawn/,
    { file: 'places.ts', text: 'if (surplus.length === 0) return', instead: 'if (surplus.length >= 0) return' },
  ],
  [
    'drains workers that have not become ready',
    /is starting and drains/,
    { file: 'places.ts', text: "if (role === 'worker' && state === 'starting')", instead: 'if (false)' },
  ],
  [
    'keeps the workers of a release that is withdrawn',
    /withdrawn/,
    { file: 'places.ts', text: 'id === release && workers === 0', instead: 'id === release && workers < 0' },
  ],
  [
    'sends all clients to a release that is being tried',
    /of the clients, not/,
    { file: 'routing.ts', text: 'share === undefined ? {} :', instead: 'share !== 0 ? {} :' },
  ],
  [
    'starts for a place in spite of its back-off',
    /spins|crash loop/,
    {
      file: 'places.ts',
      text: 'if (pass.now < due && !isNewCode) return',
      instead: 'if (isNewCode) return pass.start({ role, release, place: index, generation: pass.generation })',
    },
  ],
  [
    'never parks a place',
    /crash loop and is filled/,
    {
      file: 'restart-policy.ts',
      text: 'known?.parked === true || earlyExits.length >= Math.max(parkAfter, 2 * failing)',
      instead: 'false',
    },
  ],
  [
    'takes an early exit for a proven process',
    /exited early/,
    { file: 'losses.ts', text: 'pass.now, pass.limits.provenMs)', instead: 'pass.now, 0)' },
  ],
  [
    'blames a place for a process that a request ended',
    /says nothing about the code/,
    { file: 'losses.ts', text: 'pardoned ? Infinity : child.servedMs', instead: 'child.servedMs' },
  ],
  [
    'counts a loss again and again',
    /for the second time/,
    { file: 'losses.ts', text: 'if (child.counted) return false', instead: '' },
  ],
  [
    'stops workers before balancers',
    /before the balancers/,
    { file: 'shutdown-order.ts', text: "['balancer', 'worker']", instead: "['worker', 'balancer']" },
  ],
  [
    'cuts requests at the beginning of the shutdown',
    /before the end of the shutdown/,
    { file: 'shutdown-order.ts', text: 'Math.max(cutAt - pass.now, graceMs)', instead: '0' },
  ],
  [
    'does not drain workers in the shutdown',
    /not drained|in the shutdown/,
    { file: 'shutdown-order.ts', text: "role === 'worker' && !leaving", instead: 'false' },
  ],
  [
    'ignores the memory limit',
    /over the memory limit/,
    { file: 'memory-limit.ts', text: 'workerMaxMemory === 0 ||', instead: 'workerMaxMemory >= 0 ||' },
  ],
  [
    'replaces a place for its memory without a pause',
    /twice in a minute/,
    { file: 'memory-limit.ts', text: 'PAUSE_MS = 60_000', instead: 'PAUSE_MS = 0' },
  ],
  [
    'replaces several workers for their memory at once',
    /for its memory beside/,
    { file: 'memory-limit.ts', text: '|| isReplacing(pass)', instead: '' },
  ],
  [
    'cuts drains at once',
    /before its drain has timed out/,
    {
      file: 'stuck-processes.ts',
      text: 'isDue(pass, drainingSince + drainTimeoutMs)',
      instead: 'isDue(pass, drainingSince)',
    },
  ],
  [
    'never cuts a drain',
    /its drain/,
    { file: 'stuck-processes.ts', text: 'isDue(pass, drainingSince + drainTimeoutMs)', instead: 'false' },
  ],
  [
    'gives a drained process no time to exit',
    /gets 0 ms to exit/,
    { file: 'stuck-processes.ts', text: 'deadlineMs: stopTimeoutMs', instead: 'deadlineMs: 0' },
  ],
  [
    'lets a drained process run on',
    /has drained and is not stopped/,
    { file: 'stuck-processes.ts', text: "state === 'draining' && drained", instead: 'false' },
  ],
  [
    'never kills a successor that no balancer finds healthy',
    /its first healthy probe/,
    {
      file: 'stuck-processes.ts',
      text: 'if (isSuccessor && !child.reachable',
      instead: 'if (false && !child.reachable',
    },
  ],
  [
    'never kills a process that hangs',
    /its heartbeat/,
    {
      file: 'stuck-processes.ts',
      text: 'isDue(pass, Math.max(child.heardAt, awakeSince) + hangTimeoutMs)',
      instead: 'false',
    },
  ],
  [
    'never kills a process that does not become ready',
    /its start/,
    { file: 'stuck-processes.ts', text: 'return isDue(pass, startDue) ?', instead: 'return false ?' },
  ],
  [
    'never kills a process that does not stop',
    /its stop/,
    {
      file: 'stuck-processes.ts',
      text: 'child.killAt !== undefined && isDue',
      instead: 'child.killAt === undefined && isDue',
    },
  ],
  [
    'does not ask for the pass at its next deadline',
    /no pass is asked for/,
    { file: 'pass.ts', text: 'if (this.#nextDue < Infinity) this.act', instead: 'if (this.#nextDue < 0) this.act' },
  ],
  [
    'leaves a place empty after one early exit, as in a crash loop',
    /said to be in a crash loop/,
    { file: 'restart-policy.ts', text: 'parkAfter: 10', instead: 'parkAfter: 1' },
  ],
  [
    'sets no bound to the wait after early exits',
    /stays empty for|is empty/,
    {
      file: 'restart-policy.ts',
      text: 'Math.min(firstDelayMs * 2 ** (earlyInARow - 1), maxDelayMs)',
      instead: 'firstDelayMs * 8 ** earlyInARow',
    },
  ],
  [
    'does not ask for a pass at the end of a back-off',
    /at the end of its back-off/,
    { file: 'places.ts', text: 'pass.lookAgainAt(due)', instead: '' },
  ],
  [
    'lets new code wait for the back-off of old code',
    /for code that is replaced/,
    { file: 'places.ts', text: 'if (pass.now < due && !isNewCode) return', instead: 'if (pass.now < due) return' },
  ],
  [
    'does not tell a crashed process to drain',
    /is not told to drain/,
    {
      file: 'losses.ts',
      text: "child.state === 'crashed' && child.drainingSince === undefined",
      instead: 'false',
    },
  ],
  [
    'replaces the next place while the worker before it drains',
    /a reload replaces .* drains/,
    {
      file: 'rollout.ts',
      text: 'pass.children.some(child => isHoldingUp(pass, child, pass.generation)) ? undefined : next',
      instead: 'next',
    },
  ],
  [
    'replaces the next place while one before it has no ready worker',
    /has no ready worker/,
    {
      file: 'rollout.ts',
      text: "if (before.some(({ holder }) => holder?.state !== 'ready')) return undefined",
      instead: '',
    },
  ],
  [
    'replaces a worker for its memory while a reload replaces one',
    /is being replaced/,
    {
      file: 'memory-limit.ts',
      text: 'if (pass.workers.some(({ successor }) => successor !== undefined)) return true',
      instead: '',
    },
  ],
  [
    'ends a reload before the new workers are ready',
    /settles while/,
    {
      file: 'rollout.ts',
      text: "!isUnderWay(pass) || places.some(({ holder }) => holder?.state !== 'ready')",
      instead: '!isUnderWay(pass)',
    },
  ],
  [
    'ends a reload before the old workers have drained',
    /settles while .* drains/,
    {
      file: 'rollout.ts',
      text: 'if (pass.children.some(child => isHoldingUp(pass, child, generation))) return',
      instead: '',
    },
  ],
  [
    'goes on with a reload that has failed',
    /is started for generation/,
    { file: 'pass.ts', text: 'this.desired.generation > abandonedUpTo ?', instead: 'this.desired.generation >= 0 ?' },
  ],
  [
    'goes on with a reload that was given up for a rollback',
    /is started for generation|of old code|under way/,
    { file: 'rollout.ts', text: 'pass.remember({ abandonedUpTo: givenUpTo })', instead: '{}' },
  ],
  [
    'never ends a reload',
    /under way/,
    { file: 'rollout.ts', text: 'if (!isUnderWay(pass) || places', instead: 'if (pass.now >= 0 || places' },
  ],
]

for (const [fault, broken, mutation] of mutants) {
  void t.test(`the simulation finds a plan that ${fault}`, async t => {
    t.match(firstBroken(SEEDS_TO_FIND, await mutatedPlan(t, mutation))?.message.split('\n')[0], broken)
  })
}

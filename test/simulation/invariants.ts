import type { Action } from '#src/primary/plan/action.js'
import { EndingInvariants } from './ending-invariants.js'
import { ReleaseInvariants } from './release-invariants.js'
import { RestartInvariants } from './restart-invariants.js'
import { RolloutInvariants } from './rollout-invariants.js'
import { ensure, type SimulatedWorld } from './simulated-world.js'
import type { FakeChild } from './fake-child.js'

/** Actions on a process that has exited. */
const OF_THE_EXITED = new Set<Action['type']>(['lose', 'forget', 'abandon'])

/** The promises of the plan, checked at every step. */
export class Invariants {
  readonly #done = new Map<string, Set<string>>()
  readonly #endings: EndingInvariants
  readonly #releases: ReleaseInvariants
  readonly #restarts: RestartInvariants
  readonly #rollout: RolloutInvariants

  constructor(private readonly world: SimulatedWorld) {
    this.#endings = new EndingInvariants(world)
    this.#releases = new ReleaseInvariants(world)
    this.#restarts = new RestartInvariants(world)
    this.#rollout = new RolloutInvariants(world)
  }

  noteReload(): void {
    this.#restarts.noteReload()
  }

  noteGivenUp(generation: number): void {
    this.#rollout.noteAbandoned(generation)
  }

  /** Before the actions of a plan are carried out. */
  checkPlan(actions: readonly Action[]): void {
    this.#restarts.noteRecovered()
    this.#checkRoutes(actions)
    this.#releases.checkPlan(actions)
  }

  /** Before an action is carried out. */
  check(action: Action): void {
    if (action.type === 'start') {
      this.#restarts.checkStart(action.spec)
      this.#rollout.checkStart(action.spec)
    }
    if (action.type === 'settle') this.#rollout.checkSettle(action.generation)
    if (!('child' in action)) return
    const child = this.world.child(action.child)
    ensure(child !== undefined, `${action.type} of ${action.child}, which is not there`)
    this.#checkOnce(action.type, child)
    if (action.type === 'abandon') this.#rollout.noteAbandoned(action.generation)
    if (action.type === 'replace') this.#rollout.checkReplacement(child, action.reason)
    if (action.type === 'lose') this.#restarts.checkLoss(child, action.verdict)
    if (action.type === 'drain') this.#endings.checkDrain(child)
    if (action.type === 'stop') this.#endings.checkStop(child, action.deadlineMs)
    if (action.type === 'kill') this.#endings.checkKill(child, action.reason)
    if (action.type === 'forget') ensure(child.state === 'exited', `${child.name} is forgotten and has not exited`)
  }

  /** After the passes of one moment. @param wakeUp the time of the next pass that the plan asked for */
  checkAtRest(wakeUp: number): void {
    this.#endings.checkAtRest(wakeUp)
    this.#rollout.checkAtRest()
    this.#restarts.checkAtRest(wakeUp, this.#rollout.generation)
    this.#releases.checkAtRest()
  }

  /** After a long time without faults: the observed state is the desired state. */
  checkConverged(): void {
    const fault = this.unlikeDesired()
    ensure(fault === undefined, fault ?? '')
  }

  /** The difference between the observed and the desired state; undefined when there is none. */
  unlikeDesired(): string | undefined {
    const { history, limits } = this.world
    const { generation } = this.#rollout
    const children = this.world.children()
    const wanted = new Set(this.world.wantedPlaces())
    if (children.length !== wanted.size) return `there are ${children.length} processes for ${wanted.size} places`
    for (const { name, key, spec, state, leaving, hung, isReachable, replaceReason, rssBytes } of children) {
      if (!wanted.delete(key)) return `${name} has no place of its own`
      if (state !== 'ready' || leaving) return `${name} is ${state}`
      if (hung) return `${name} hangs and is kept`
      if (!isReachable) return `${name} is not reachable`
      if (replaceReason !== undefined) return `${name} is to be replaced, and is not`
      if (spec.role === 'balancer') continue
      if (spec.generation < generation) return `${name} is of old code`
      if (limits.workerMaxMemory !== 0 && rssBytes > limits.workerMaxMemory) return `${name} is over the memory limit`
    }
    return history.settled === generation ? undefined : 'a reload is still under way'
  }

  checkEnded(): void {
    const left = this.world.children().map(({ name, state }) => `${name} (${state})`)
    ensure(left.length === 0, `the shutdown is over, and there are: ${left.join(', ')}`)
  }

  /** Balancers know every worker that has requests, and send new ones to ready workers only. */
  #checkRoutes(actions: readonly Action[]): void {
    const lists = actions.flatMap(action => (action.type === 'route' ? [action.routes] : []))
    if (this.world.desired.shutdown !== undefined) return ensure(lists.length === 0, 'the shutdown changes the routes')
    ensure(lists.length === 1, `a plan has ${lists.length} lists of routes`)
    const routes = new Map(lists[0]?.map(({ child, draining }) => [child, draining]))
    const leaving = new Set(actions.flatMap(action => (action.type === 'drain' ? [action.child] : [])))
    for (const { name, spec, state } of this.world.children()) {
      const given = routes.get(name)
      routes.delete(name)
      if (spec.role === 'worker' && state === 'ready' && leaving.has(name)) {
        ensure(given === true, `${name} is about to drain and gets requests`)
      } else if (spec.role === 'worker' && state === 'ready') {
        ensure(given === false, `${name} is ready and gets no requests`)
      } else if (spec.role === 'worker' && (state === 'draining' || state === 'crashed')) {
        ensure(given === true, `${name} is ${state} and ${given === undefined ? 'unknown' : 'gets requests'}`)
      } else ensure(given === undefined, `${name} is ${state} and has a route`)
    }
    ensure(routes.size === 0, `there are routes to ${[...routes.keys()].join(', ')}, which are not there`)
  }

  #checkOnce(type: Action['type'], child: FakeChild): void {
    const done = this.#done.get(child.name) ?? new Set()
    ensure(!done.has(type), `${type} of ${child.name} for the second time`)
    this.#done.set(child.name, done.add(type))
    ensure(child.state !== 'exited' || OF_THE_EXITED.has(type), `${type} of ${child.name}, which has exited`)
  }
}

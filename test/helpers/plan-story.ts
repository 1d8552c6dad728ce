import type { Action, Route, StartSpec } from '#src/primary/plan/action.js'
import { fixedLimits, type Desired, type PlanLimits } from '#src/primary/plan/desired.js'
import { noHistory, type History } from '#src/primary/plan/observed.js'
import { plan } from '#src/primary/plan/plan.js'
import { FakeChild } from '../simulation/fake-child.js'

const DEFAULTS: PlanLimits = {
  ...fixedLimits,
  workerMaxMemory: 0,
  startTimeoutMs: 30_000,
  drainTimeoutMs: 300_000,
  stopTimeoutMs: 30_000,
}

/** A world of fake processes for tests of the plan: a test lets things happen to them, and compares the plan's actions. */
export class PlanStory {
  now = 0
  awakeSince = 0
  history: History = noHistory
  desired: Desired
  readonly limits: PlanLimits
  /** The last list of workers for the balancers. */
  routes: readonly Route[] = []
  #pardons: string[] = []
  readonly #children = new Map<string, FakeChild>()
  readonly #nextId = { worker: 1, balancer: 1 }

  constructor(workers: number, limits: Partial<PlanLimits> = {}, balancers = 0) {
    this.desired = { generation: 0, releases: [{ id: 'live', workers }], balancers }
    this.limits = { ...DEFAULTS, ...limits }
  }

  /** With all its workers started, ready, reachable and proven. */
  static serving(workers: number, limits: Partial<PlanLimits> = {}): PlanStory {
    const story = new PlanStory(workers, limits)
    story.pass()
    for (const child of story.children()) story.proves(child.name)
    story.pass()
    return story
  }

  children(): FakeChild[] {
    return [...this.#children.values()]
  }

  /** By its name, e.g. "worker 1". */
  child(name: string): FakeChild {
    const child = this.#children.get(name)
    if (child === undefined) throw new Error(`there is no ${name}`)
    return child
  }

  /** Advances the clock by this many milliseconds. All processes that do not hang send their heartbeats. */
  wait(ms: number): this {
    this.now += ms
    for (const child of this.#children.values()) if (!child.hung) child.heardAt = this.now
    return this
  }

  reload(): this {
    this.desired = { ...this.desired, generation: this.desired.generation + 1 }
    return this
  }

  giveUpReload(): this {
    this.desired = { ...this.desired, givenUpTo: this.desired.generation }
    return this
  }

  /** The process becomes ready, is found healthy, and serves until it is proven. */
  proves(name: string): this {
    this.child(name).ready(this.now)
    this.child(name).reachable = true
    return this.wait(this.limits.provenMs)
  }

  exits(name: string): this {
    this.child(name).exit(this.now)
    return this
  }

  /** A request is found to have ended the process, which may be gone. */
  pardons(name: string): this {
    this.#pardons.push(name)
    return this
  }

  /** One plan, carried out. Returns its actions in words, e.g. "start worker 3", without routes and waits. */
  pass(): string[] {
    const children = this.children().map(child => child.observe(this.now))
    const observed = { children, history: this.history, awakeSince: this.awakeSince, pardons: this.#pardons }
    this.#pardons = []
    const { actions, history } = plan(this.desired, observed, this.limits, this.now)
    this.history = history
    return actions.flatMap(action => this.#carryOut(action) ?? [])
  }

  /** Passes until nothing is left to do at this moment. */
  settle(): string[] {
    const all: string[] = []
    for (let said = this.pass(); said.length > 0; said = this.pass()) all.push(...said)
    return all
  }

  #carryOut(action: Action): string | undefined {
    if (action.type === 'route') this.routes = action.routes
    if (action.type === 'route' || action.type === 'wait') return undefined
    if (action.type === 'settle') return `settle ${action.generation}`
    if (action.type === 'start') return `start ${this.#start(action.spec)}`
    const child = this.child(action.child)
    const said = `${action.type} ${child.name}`
    switch (action.type) {
      case 'replace':
        child.replaceReason = action.reason
        return `${said}: ${action.reason}`
      case 'tolerate':
        child.tolerated = true
        return said
      case 'drain':
        child.drain(this.now)
        return said
      case 'stop':
        child.stop(this.now + action.deadlineMs + action.graceMs)
        return `${said} within ${action.deadlineMs} ms`
      case 'kill':
        child.kill()
        return action.reason === undefined ? said : `${said}: ${action.reason}`
      case 'lose':
        child.counted = true
        return `${said}: ${action.verdict.kind}`
      case 'abandon':
        child.counted = true
        return `abandon ${action.generation} after ${action.replaced}`
      case 'forget':
        this.#children.delete(child.name)
        return said
    }
  }

  #start(spec: StartSpec): string {
    const child = new FakeChild(`${spec.role} ${this.#nextId[spec.role]++}`, spec, this.now)
    this.#children.set(child.name, child)
    return child.name
  }
}

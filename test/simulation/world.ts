import type { Action, Plan, StartSpec } from '#src/primary/plan/action.js'
import { defaultLimits, type Desired, type PlanLimits, type Release } from '#src/primary/plan/desired.js'
import { noHistory, placeKey, type ChildRole, type History, type Observed } from '#src/primary/plan/observed.js'
import { ReleaseSwitch } from '#src/primary/releases/release-switch.js'
import { Chance } from '#scripts/lib/chance.js'
import { FakeChild } from './fake-child.js'
import { Invariants } from './invariants.js'
import { BrokenInvariant, type SimulatedWorld } from './simulated-world.js'

export type PlanFunction = (desired: Desired, observed: Observed, limits: PlanLimits, now: number) => Plan

const FAULTS_MS = 40_000
/** Longer than a parked place waits, a drain may take, a start may take and a hang lasts, one after the other. */
const CALM_MS = 240_000
const ENDING_MS = 20_000
const LOOK_MS = 1_000
const MAX_PASSES = 12

interface Event {
  at: number
  happen(): void
}

/** A seed whose story broke a promise. The message has the end of the story. */
export class SimulationError extends Error {
  constructor(
    readonly seed: number,
    cause: Error,
    readonly story: readonly string[],
  ) {
    super(`seed ${seed}: ${cause.message}\n${story.slice(-40).join('\n')}`, { cause })
  }
}

/**
 * An instance without processes: fake children, a fake clock, seeded chance. For a while processes exit, hang, crash,
 * grow, start slowly or never, and commands come at any moment. Then the faults end, and the desired state must be
 * reached.
 */
export class World implements SimulatedWorld {
  readonly #chance: Chance
  readonly #children = new Map<string, FakeChild>()
  readonly #story: string[] = []
  readonly #invariants: Invariants
  readonly #nextId = { worker: 1, balancer: 1 }
  #events: Event[] = []
  #calm = false
  /** A service that every process needs is away, so every process that starts exits at once. */
  #hasNoDatabase = false
  #generation = 0
  #workers: number
  #lastRelease = 0
  readonly #switch: ReleaseSwitch
  #wanted: { desired: Desired; places: ReadonlySet<string> } | undefined
  #wakeUp = Infinity
  #nextLook = 0
  now = 0
  awakeSince = 0
  history: History = noHistory
  desired: Desired
  readonly limits: PlanLimits

  constructor(
    readonly seed: number,
    private readonly plan: PlanFunction,
  ) {
    this.#chance = new Chance(seed)
    this.#invariants = new Invariants(this)
    const balancers = this.#chance.between(0, 2)
    this.#workers = this.#chance.between(1, 4)
    this.desired = { generation: 0, releases: [], balancers }
    const workerMaxMemory = this.#chance.happens(0.3) ? 200 : 0
    this.limits = { ...defaultLimits, workerMaxMemory, drainTimeoutMs: 20_000, stopTimeoutMs: 5_000 }
    this.#switch = new ReleaseSwitch('r0', this.limits)
  }

  /** @throws {SimulationError} */
  run(): void {
    try {
      this.#scheduleCommands()
      this.#pass()
      this.#runUntil(FAULTS_MS)
      this.#tell('all is calm from here on')
      this.#calm = true
      for (const child of this.#children.values()) this.#recover(child)
      this.#runUntil(this.now + CALM_MS, () => this.#isOver || this.#invariants.unlikeDesired() === undefined)
      if (!this.#isOver) {
        this.#invariants.checkConverged()
        this.#shutDown()
      }
      this.#runUntil(this.now + ENDING_MS, () => this.#children.size === 0)
      this.#invariants.checkEnded()
    } catch (error) {
      throw new SimulationError(this.seed, error as Error, this.#story)
    }
  }

  /** The events so far, a line each. */
  get story(): readonly string[] {
    return this.#story
  }

  children(): FakeChild[] {
    return [...this.#children.values()]
  }

  child(name: string): FakeChild | undefined {
    return this.#children.get(name)
  }

  wantedPlaces(): ReadonlySet<string> {
    const { desired } = this
    if (this.#wanted?.desired !== desired) this.#wanted = { desired, places: this.#placesOf(desired) }
    return this.#wanted.places
  }

  #placesOf({ balancers, releases }: Desired): Set<string> {
    const places = (role: ChildRole, release: string, count: number): string[] =>
      Array.from({ length: count }, (_, place) => placeKey({ role, release, place }))
    return new Set([
      ...places('balancer', 'outpost', balancers),
      ...releases.flatMap(({ id, workers }) => places('worker', id, workers)),
    ])
  }

  /** A shutdown was commanded. */
  get #isOver(): boolean {
    return this.desired.shutdown !== undefined
  }

  #runUntil(end: number, isOver: () => boolean = () => false): void {
    while (!isOver()) {
      const next = Math.min(this.#events[0]?.at ?? Infinity, this.#wakeUp, this.#nextLook)
      if (next > end) {
        this.now = end
        return
      }
      this.now = Math.max(this.now, next)
      while ((this.#events[0]?.at ?? Infinity) <= this.now) this.#events.shift()?.happen()
      if (this.now >= this.#nextLook) this.#look()
      this.#pass()
    }
  }

  /** Heartbeats come each second, and so does a pass. */
  #look(): void {
    this.#nextLook = this.now + LOOK_MS
    for (const child of this.#children.values()) {
      if (!child.hung && child.state !== 'exited') child.heardAt = this.now
    }
  }

  /** Runs passes, like the executor, until there is nothing to do at this moment. */
  #pass(): void {
    for (let passes = 0; ; passes++) {
      if (passes > MAX_PASSES) throw new BrokenInvariant('the plan does not come to rest')
      const children = this.children().map(child => child.observe(this.now))
      if (!this.#isOver) this.#want(this.#switch.releases(children, this.#workers, this.now))
      const observed = { children, history: this.history, awakeSince: this.awakeSince }
      const { actions, history } = this.plan(this.desired, observed, this.limits, this.now)
      this.history = history
      this.#wakeUp = Math.max(this.#switch.due, this.now + 1)
      let changed = false
      this.#invariants.checkPlan(actions)
      for (const action of actions) changed = this.#carryOut(action) || changed
      if (!changed) return this.#invariants.checkAtRest(this.#wakeUp)
    }
  }

  #carryOut(action: Action): boolean {
    this.#invariants.check(action)
    if (action.type === 'route') return false
    if (action.type === 'wait') {
      this.#wakeUp = Math.min(this.#wakeUp, Math.max(action.until, this.now + 1))
      return false
    }
    if (action.type === 'start') this.#start(action.spec)
    else if (action.type === 'settle') this.#tell(`all workers are of generation ${action.generation}`)
    else {
      const child = this.#children.get(action.child)
      if (child !== undefined) this.#carryOutOn(child, action)
    }
    return true
  }

  #carryOutOn(child: FakeChild, action: Extract<Action, { child: string }>): void {
    this.#tell(`${action.type} ${child.name}${'reason' in action ? `: ${action.reason}` : ''}`)
    if (action.type === 'replace') child.replaceReason = action.reason
    else if (action.type === 'tolerate') child.tolerated = true
    else if (action.type === 'drain') this.#drain(child)
    else if (action.type === 'stop') this.#stop(child, action.deadlineMs, action.graceMs)
    else if (action.type === 'kill') {
      child.kill()
      this.#later(1, 5, () => this.#exit(child, 'killed'))
    } else if (action.type === 'forget') this.#children.delete(child.name)
    else child.counted = true
    if (action.type === 'lose') this.#lose(child)
  }

  /** The same list is the same object, so that what is made of it is made once. */
  #want(releases: readonly Release[]): void {
    if (JSON.stringify(releases) !== JSON.stringify(this.desired.releases)) this.desired = { ...this.desired, releases }
  }

  #lose(child: FakeChild): void {
    const { name, spec, pardoned } = child
    const { servedMs } = child.observe(this.now)
    const early = servedMs < this.limits.provenMs && !pardoned
    this.#switch.lost({ name, release: spec.release, ending: 'an exit', servedMs, early })
  }

  #start(spec: StartSpec): void {
    const name = `${spec.role} ${this.#nextId[spec.role]++}`
    const child = new FakeChild(name, spec, this.now)
    this.#children.set(name, child)
    this.#tell(`start ${name} for place ${spec.place}, generation ${spec.generation}`)
    const fate = this.#calm ? 1 : this.#chance.next()
    if (!this.#calm && this.#hasNoDatabase) this.#later(10, 50, () => this.#exit(child, 'no database'))
    else if (fate < 0.1) this.#later(10, 2_000, () => this.#exit(child, 'a failed start'))
    else if (fate < 0.13) child.hung = true
    else this.#later(10, fate < 0.2 ? 29_000 : 1_500, () => this.#becomeReady(child))
  }

  #becomeReady(child: FakeChild): void {
    if (child.state !== 'starting') return
    this.#tell(`${child.name} is ready`)
    child.ready(this.now)
    child.heardAt = this.now
    if (!this.#calm && this.#chance.happens(0.03)) return
    this.#later(5, 300, () => (child.reachable = true))
    if (this.#calm) return
    const fate = this.#chance.next()
    if (fate < 0.12) this.#later(1, 900, () => this.#exit(child, 'an early exit'))
    else if (fate < 0.15) this.#later(1, 900, () => this.#endByRequest(child))
    else if (fate < 0.4) this.#later(1_000, 30_000, () => this.#exit(child, 'an exit'))
    else if (fate < 0.5) this.#later(100, 30_000, () => this.#hang(child))
    else if (fate < 0.6 && child.spec.role === 'worker') this.#later(10, 30_000, () => this.#crash(child))
    else if (fate < 0.75) this.#later(100, 30_000, () => (child.rssBytes = 300))
    else if (fate < 0.8) this.#later(10, 30_000, () => this.#terminate(child))
    if (this.#chance.happens(0.1)) child.obedient = false
  }

  #drain(child: FakeChild): void {
    child.drain(this.now)
    if (this.#calm || this.#chance.happens(0.8)) this.#later(1, 8_000, () => (child.drained = true))
  }

  #stop(child: FakeChild, deadlineMs: number, graceMs: number): void {
    child.stop(this.now + deadlineMs + graceMs)
    if (!child.hung && child.obedient) this.#later(1, Math.max(1, deadlineMs), () => this.#exit(child, 'asked to'))
  }

  #exit(child: FakeChild, why: string): void {
    if (child.state === 'exited') return
    this.#tell(`${child.name} exits: ${why}`)
    child.exit(this.now)
  }

  #endByRequest(child: FakeChild): void {
    child.pardoned = true
    this.#exit(child, 'ended by a request')
  }

  #crash(child: FakeChild): void {
    if (child.state === 'exited') return
    this.#tell(`${child.name} crashes`)
    child.crash(this.now)
    this.#later(10, 12_000, () => this.#exit(child, 'it had crashed'))
  }

  #hang(child: FakeChild): void {
    if (!child.isServing) return
    this.#tell(`${child.name} hangs`)
    child.hung = true
    this.#later(500, 9_000, () => (child.reachable = false))
  }

  #terminate(child: FakeChild): void {
    if (child.leaving) return
    this.#tell(`${child.name} is sent SIGTERM`)
    child.replaceReason ??= 'SIGTERM'
  }

  /** Processes that no balancer finds healthy are healthy from now on. What hangs or is too large stays so. */
  #recover(child: FakeChild): void {
    if (child.hung || child.state === 'exited') return
    if (child.state === 'ready') this.#later(5, 300, () => (child.reachable = true))
  }

  #scheduleCommands(): void {
    for (let count = this.#chance.between(0, 8); count > 0; count--) {
      this.#later(0, FAULTS_MS, () => this.#command(this.#chance.next()))
    }
  }

  #command(which: number): void {
    if (this.#isOver) return
    if (which < 0.3) this.#changeRelease()
    else if (which < 0.6) {
      if (this.#switch.underWay !== undefined) return
      this.#generation += 1
      this.#tell(`reload to generation ${this.#generation}`)
      this.#invariants.noteReload()
      this.desired = { ...this.desired, generation: this.#generation }
    } else if (which < 0.8) {
      const workers = this.#chance.between(1, 5)
      this.#tell(`scale to ${workers} workers`)
      this.#workers = workers
    } else if (which < 0.87) {
      const balancers = this.#chance.between(1, 3)
      this.#tell(`scale to ${balancers} balancers`)
      this.desired = { ...this.desired, balancers }
    } else if (which < 0.91) {
      this.#hasNoDatabase = !this.#hasNoDatabase
      this.#tell(this.#hasNoDatabase ? 'the database goes away' : 'the database is back')
    } else if (which < 0.96) this.#sleep(this.#chance.between(3_000, 90_000))
    else this.#shutDown()
  }

  /** A deploy of a new release, or a rollback to one of those before. Refused while another, or a reload, is under way. */
  #changeRelease(): void {
    const { settled, abandonedUpTo } = this.history
    if (this.#switch.underWay !== undefined || this.#generation > Math.max(settled, abandonedUpTo)) return
    if (this.#chance.happens(0.3)) return this.#changePreview()
    const back = `r${this.#chance.between(0, this.#lastRelease)}`
    const isBack = back !== this.#switch.current && this.#chance.happens(0.4)
    const to = isBack ? back : `r${++this.#lastRelease}`
    const stages = this.#chance.happens(0.5) ? [] : [{ share: this.#chance.next(), ms: this.#chance.between(1, 8_000) }]
    this.#tell(`change to ${to}${stages.length === 0 ? '' : ', with a bake'}`)
    const watcher = {
      baking: (share: number) => this.#tell(`${to} gets ${share.toFixed(2)} of the clients`),
      filling: () => undefined,
      live: () => {
        if (this.#chance.happens(0.1)) throw new Error('the disk is full')
        this.#tell(`${to} is live`)
      },
      takenBack: ({ reason }: { reason: string }) => this.#tell(`${to} is taken back: ${reason}`),
    }
    const keepWarmMs = this.#chance.between(0, 20_000)
    this.#switch.begin({ to, stages: isBack ? [] : stages, keepWarmMs, watcher }, this.now)
  }

  /** A release that no client gets is begun, in place of another one, or ended. */
  #changePreview(): void {
    if (this.#switch.preview !== undefined && this.#chance.happens(0.3)) {
      this.#tell('the preview ends')
      return this.#switch.endPreview()
    }
    const release = `r${++this.#lastRelease}`
    this.#tell(`preview of ${release}`)
    const watcher = {
      ready: () => this.#tell(`${release} is in preview`),
      failed: ({ reason }: { reason: string }) => this.#tell(`the preview of ${release} has failed: ${reason}`),
      ended: () => this.#tell(`the preview of ${release} is over`),
    }
    this.#switch.beginPreview({ release, watcher }, this.now)
  }

  /** The machine is asleep: nobody runs, and nobody could be heard of. */
  #sleep(ms: number): void {
    this.#tell(`the machine sleeps for ${ms} ms`)
    for (const event of this.#events) event.at += ms
    this.now += ms
    this.awakeSince = this.now
    for (const child of this.#children.values()) if (child.killAt !== undefined) child.killAt += ms
  }

  #shutDown(): void {
    this.#tell('shutdown')
    this.desired = { ...this.desired, shutdown: { cutAt: this.now + 10_000, graceMs: 500 } }
    this.#pass()
  }

  /** Something that happens at a time drawn between the two, from now. */
  #later(fromMs: number, toMs: number, happen: () => void): void {
    const at = this.now + this.#chance.between(fromMs, toMs)
    const place = this.#events.findLastIndex(event => event.at <= at) + 1
    this.#events.splice(place, 0, { at, happen })
  }

  #tell(what: string): void {
    this.#story.push(`${(this.now / 1_000).toFixed(3).padStart(9)} s  ${what}`)
  }
}

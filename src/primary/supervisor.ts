import type { Config } from '../config.js'
import type { Logger } from '../core/log.js'
import type { Service } from '../core/service.js'
import type { Order, Report, StartOrder, TargetSpec } from '../ipc/messages.js'
import { Child, type ChildObserver, type ChildRole, type ForkOptions } from './child.js'
import { ConnectionDealer } from './connection-dealer.js'
import { HashPermits } from './hash-permits.js'
import type { PublicPort } from './public-port.js'
import { RestartPolicy } from './restart-policy.js'
import { Slot } from './slot.js'

export interface SupervisorOptions {
  config: Config
  fork: ForkOptions
  publicPort: PublicPort
  socketOf(workerId: string): string
  redis: StartOrder['redis']
  storage: StartOrder['storage']
  sessionSecret: string
  log: Logger
  /** A line that a child printed. */
  print(child: Child, line: string): void
}

/** A child that has not reported ready by then is given up. */
const START_TIMEOUT_MS = 30_000
/** One that has not been heard of for so long hangs. */
const HANG_TIMEOUT_MS = 10_000
const WATCH_INTERVAL_MS = 1_000

/**
 * Keeps as many balancers and workers running as are wanted. Signals, exits and messages only take note and ask for a
 * pass; `#reconcile` is the one place that acts on them.
 */
export class Supervisor implements Service, ChildObserver {
  readonly #slots: Slot[]
  readonly #draining = new Set<Child>()
  /** By draining child: the balancing processes that still have requests of it in flight, or have not said. */
  readonly #drainedAt = new Map<Child, Set<Child>>()
  /** Targets that a balancer has found ready, by its process. */
  readonly #foundReady = new Map<Child, Set<string>>()
  readonly #policies = { worker: new RestartPolicy<Slot>(), balancer: new RestartPolicy<Slot>() }
  readonly #permits = new HashPermits()
  readonly #dealer: ConnectionDealer | undefined
  readonly #exits: Child[] = []
  #nextId = { worker: 1, balancer: 1 }
  #state: 'new' | 'running' | 'stopping' | 'stopped' = 'new'
  #passAsked = false
  #wakeUp: NodeJS.Timeout | undefined
  #watch: NodeJS.Timeout | undefined
  #stopped: Promise<void> | undefined
  readonly #serving: Promise<void>
  #nowServing: () => void = () => undefined

  constructor(private readonly options: SupervisorOptions) {
    const { config, publicPort } = options
    this.#slots = [...places('balancer', config.balancers), ...places('worker', config.workers)]
    if (config.balancers === 0) this.#dealer = new ConnectionDealer(publicPort)
    this.#serving = new Promise(resolve => (this.#nowServing = resolve))
  }

  /** Over when the first request could be served. */
  get serving(): Promise<void> {
    return this.#serving
  }

  get mesh(): boolean {
    return this.#dealer !== undefined
  }

  start(): Promise<void> {
    this.#state = 'running'
    this.#dealer?.start()
    this.#watch = setInterval(() => this.#ask(), WATCH_INTERVAL_MS)
    this.#reconcile()
    return Promise.resolve()
  }

  stop(): Promise<void> {
    this.#stopped ??= this.#stop()
    return this.#stopped
  }

  childReported(child: Child, report: Report): void {
    switch (report.type) {
      case 'ready':
        child.markReady()
        break
      case 'failed':
        this.options.log.error({ child: child.name, reason: report.reason }, 'it could not start')
        return
      case 'heartbeat':
        return
      case 'target-state':
        this.#noteTarget(child, report.id, report.state)
        break
      case 'drained':
        this.#noteDrained(child, report.id)
        break
      case 'crashed':
        this.#noteCrash(child)
        break
      case 'retire-me':
        this.#noteRetirement(child, report.reason)
        break
      case 'hash-wanted':
        this.#permits.wanted(child, report.ticket)
        return
      case 'hash-done':
        this.#permits.done(child, report.ticket)
        return
    }
    this.#ask()
  }

  childExited(child: Child): void {
    this.#exits.push(child)
    this.#ask()
  }

  childPrinted(child: Child, line: string): void {
    this.options.print(child, line)
  }

  /** Several facts in one turn of the event loop are one pass. */
  #ask(): void {
    if (this.#passAsked) return
    this.#passAsked = true
    setImmediate(() => {
      this.#passAsked = false
      this.#reconcile()
    })
  }

  #reconcile(): void {
    for (const child of this.#exits.splice(0)) this.#bury(child)
    if (this.#state !== 'running') return
    for (const slot of this.#slots) {
      this.#giveUpOnTheStuck(slot)
      this.#fill(slot)
      this.#replace(slot)
    }
    this.#stopTheDrained()
    this.#tellTargets()
    this.#sleepUntilDue()
  }

  /** A death: what it leaves behind, and when its place is filled again. */
  #bury(child: Child): void {
    this.#permits.childGone(child)
    this.#draining.delete(child)
    this.#drainedAt.delete(child)
    this.#foundReady.delete(child)
    for (const waiting of this.#drainedAt.values()) waiting.delete(child)
    this.#vacate(child)
  }

  /** Its place is free, at once or after a back-off. */
  #vacate(child: Child): void {
    const { log } = this.options
    const slot = this.#slots.find(place => place.children.includes(child))
    if (slot === undefined || this.#state !== 'running') return
    slot.forget(child)
    const decision = this.#policies[child.role].exited(slot, child.servedMs, performance.now())
    slot.notBefore = decision.kind === 'now' ? 0 : performance.now() + decision.delayMs
    const facts = { child: child.name, pid: child.pid, ending: child.ending, servedMs: Math.round(child.servedMs) }
    if (decision.kind === 'now') log.warn(facts, 'it died and is replaced')
    else if (decision.kind === 'after') {
      log.error({ ...facts, nextTryMs: decision.delayMs, lastLines: child.lastLines }, 'it died before it was of use')
    } else if (!slot.parked) {
      slot.parked = true
      log.error({ ...facts, lastLines: child.lastLines }, 'crash loop: its place stays empty, one try a minute')
    }
  }

  #giveUpOnTheStuck(slot: Slot): void {
    const now = performance.now()
    for (const child of slot.children) {
      const limit = child.state === 'starting' ? START_TIMEOUT_MS : HANG_TIMEOUT_MS
      if (child.state === 'stopping' || now - child.heardAt < limit) continue
      this.options.log.error({ child: child.name, pid: child.pid, silentMs: limit }, 'it hangs and is killed')
      child.kill()
    }
  }

  #fill(slot: Slot): void {
    if (slot.current !== undefined || performance.now() < slot.notBefore) return
    slot.current = this.#fork(slot.role)
  }

  /** Start, ready, healthy, swap, drain; the old one serves until the new one does. */
  #replace(slot: Slot): void {
    if (slot.current?.state === 'ready') slot.parked = false
    if (!slot.replaceWanted || slot.current === undefined || performance.now() < slot.notBefore) return
    slot.replacement ??= this.#fork(slot.role)
    if (!this.#takesTraffic(slot.replacement)) return
    const old = slot.promote()
    if (old === undefined) return
    old.beginDrain()
    this.#draining.add(old)
    this.#drainedAt.set(old, new Set(old.role === 'worker' ? this.#balancing() : []))
    const { drainTimeoutMs } = this.options.config
    const deadline = setTimeout(() => this.#endDrain(old), drainTimeoutMs)
    void old.exited.then(() => clearTimeout(deadline))
  }

  /** Ready, and every balancing process has found it so. */
  #takesTraffic(child: Child): boolean {
    if (child.state !== 'ready') return false
    if (child.role === 'balancer' || this.mesh) return true
    return this.#balancing().every(balancer => this.#foundReady.get(balancer)?.has(child.id) === true)
  }

  #stopTheDrained(): void {
    for (const child of this.#draining) if (this.#drainedAt.get(child)?.size === 0) this.#endDrain(child)
  }

  #endDrain(child: Child): void {
    if (!this.#draining.delete(child)) return
    this.#drainedAt.delete(child)
    child.stop(this.options.config.shutdownTimeoutMs)
  }

  /** Every balancing process gets the whole list each time, so that one that has just started knows it, too. */
  #tellTargets(): void {
    const targets: TargetSpec[] = []
    for (const child of this.#workers()) {
      if (child.state !== 'ready' && child.state !== 'draining') continue
      const { id } = child
      targets.push({ id, socketPath: this.options.socketOf(id), draining: child.state === 'draining' })
    }
    for (const child of this.#balancing()) this.#sendIfNew(child, { type: 'targets', targets })
    const ready = this.#workers().filter(child => child.state === 'ready')
    this.#dealer?.setTakers(ready)
    const served = this.mesh ? ready.length > 0 : [...this.#foundReady.values()].some(ids => ids.size > 0)
    if (served) this.#nowServing()
  }

  readonly #lastTargets = new WeakMap<Child, string>()

  #sendIfNew(child: Child, order: Order): void {
    const text = JSON.stringify(order)
    if (this.#lastTargets.get(child) === text) return
    this.#lastTargets.set(child, text)
    child.send(order)
  }

  #sleepUntilDue(): void {
    clearTimeout(this.#wakeUp)
    const now = performance.now()
    const due = this.#slots.filter(slot => slot.notBefore > now).map(slot => slot.notBefore - now)
    if (due.length > 0) this.#wakeUp = setTimeout(() => this.#ask(), Math.min(...due) + 1)
  }

  /** The processes that pick targets: the balancers, or in mesh mode every worker. */
  #balancing(): Child[] {
    if (this.mesh) return this.#workers().filter(child => child.state === 'ready' || child.state === 'draining')
    return this.#slots.filter(slot => slot.role === 'balancer').flatMap(slot => slot.children)
  }

  #workers(): Child[] {
    const placed = this.#slots.filter(slot => slot.role === 'worker').flatMap(slot => slot.children)
    return [...placed, ...[...this.#draining].filter(child => child.role === 'worker')]
  }

  #fork(role: ChildRole): Child {
    const { config, fork, publicPort, redis, storage, sessionSecret, socketOf } = this.options
    const id = String(this.#nextId[role]++)
    const child = Child.fork(role, id, fork, this)
    const socketPath = role === 'worker' ? socketOf(id) : ''
    const facts = { id, socketPath, publicPort: publicPort.port, mesh: this.mesh, redis, storage, sessionSecret }
    child.send({ type: 'start', config, ...facts })
    if (role === 'balancer') child.send({ type: 'listen' }, publicPort.handle)
    return child
  }

  #noteTarget(balancer: Child, id: string, state: string): void {
    const ready = this.#foundReady.get(balancer) ?? new Set()
    this.#foundReady.set(balancer, ready)
    if (state === 'ready') ready.add(id)
    else ready.delete(id)
    this.options.log.debug({ by: balancer.name, worker: id, state }, 'target')
  }

  #noteDrained(balancer: Child, id: string): void {
    for (const [child, waiting] of this.#drainedAt) if (child.id === id) waiting.delete(balancer)
  }

  /** It takes nothing new and will be gone in a moment: its place is filled already. */
  #noteCrash(child: Child): void {
    child.ending = 'uncaught exception'
    this.#vacate(child)
    child.beginDrain()
    this.#draining.add(child)
  }

  #noteRetirement(child: Child, reason: string): void {
    const slot = this.#slots.find(place => place.current === child)
    if (slot === undefined || slot.replaceWanted) return
    this.options.log.info({ child: child.name, reason }, 'it asks to be replaced')
    slot.replaceWanted = true
  }

  /** Those that take traffic in first, and only when nothing comes any more those that serve it. */
  async #stop(): Promise<void> {
    this.#state = 'stopping'
    clearTimeout(this.#wakeUp)
    clearInterval(this.#watch)
    const deadline = performance.now() + this.options.config.shutdownTimeoutMs
    this.#dealer?.stop()
    this.options.publicPort.close()
    for (const role of ['balancer', 'worker'] as const) {
      const children = [...this.#slots.flatMap(slot => slot.children), ...this.#draining].filter(
        child => child.role === role,
      )
      const left = Math.max(deadline - performance.now(), 1_000)
      for (const child of children) child.stop(left)
      await Promise.all(children.map(child => child.exited))
    }
    this.#state = 'stopped'
  }
}

function places(role: ChildRole, count: number): Slot[] {
  return Array.from({ length: count }, (_, index) => new Slot(role, index))
}

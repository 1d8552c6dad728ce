import type { Logger } from '../process/log.js'
import type { Service } from '../process/service.js'
import type { Report } from '../ipc/messages.js'
import { BloatGuard } from './plan/bloat-guard.js'
import type { Child, ChildObserver } from './processes/child.js'
import { ChildFactory, type ChildFactoryOptions } from './processes/child-factory.js'
import { ConnectionDealer } from './traffic/connection-dealer.js'
import { openFilesToSpare } from './host/open-files.js'
import { refuse } from './traffic/refusal.js'
import { Reloads } from './plan/reload.js'
import { defaultRestartOptions } from './plan/restart-policy.js'
import { Roster } from './plan/roster.js'
import type { ShutdownClock } from './host/shutdown-clock.js'
import type { Slot } from './plan/slot.js'
import { Traffic } from './traffic/traffic.js'
import { Vacancies } from './plan/vacancies.js'
import { Watchdog } from './plan/watchdog.js'

export interface SupervisorOptions extends ChildFactoryOptions {
  shutdown: ShutdownClock
  log: Logger
  /** A line that a child printed. */
  print(child: Child, line: string): void
}

const WATCH_INTERVAL_MS = 1_000
/** A replacement serves so long beside the one it replaces. */
const PROVEN_MS = defaultRestartOptions.provenMs
/** What is in flight at the end of a drain is cut; so long a child has to say good-bye. */
const CUT_MS = 500

/**
 * Keeps as many balancers and workers running as are wanted. Signals, exits and messages only take note and ask for a
 * pass; `#reconcile` is the one place that acts on them.
 */
export class Supervisor implements Service, ChildObserver {
  readonly #factory: ChildFactory
  readonly #roster: Roster
  readonly #vacancies: Vacancies
  readonly #reloads = new Reloads()
  readonly #watchdog = new Watchdog()
  readonly #bloat: BloatGuard
  readonly #traffic: Traffic
  readonly #dealer: ConnectionDealer | undefined
  readonly #exits: Child[] = []
  #state: 'new' | 'running' | 'stopping' = 'new'
  #passAsked = false
  #wakeUp: NodeJS.Timeout | undefined
  #watch: NodeJS.Timeout | undefined
  #stopped: Promise<void> | undefined
  /** Over when the first request could be served; rejects with a `PortError` when another program took the port before. */
  readonly serving: Promise<void>
  #nowServing: () => void = () => undefined
  #portLost: (error: Error) => void = () => undefined

  constructor(private readonly options: SupervisorOptions) {
    const { config, publicPort } = options
    this.#factory = new ChildFactory(options, this)
    this.#roster = new Roster({ balancer: config.balancers, worker: config.workers })
    this.#vacancies = new Vacancies(this.#roster, options.log)
    this.#bloat = new BloatGuard(options.log)
    if (config.balancers === 0) {
      this.#dealer = new ConnectionDealer(publicPort, refuse, openFilesToSpare(config.workers))
    }
    this.#traffic = new Traffic(this.#roster, this.#dealer, options.socketOf)
    this.serving = new Promise((resolve, reject) => {
      this.#nowServing = resolve
      this.#portLost = reject
    })
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

  /**
   * Replaces every worker, one place at a time. Asked for during a reload, it follows that one.
   * @returns how many were replaced
   * @throws {ReloadError} a new worker did not come up; the old ones serve on
   */
  reload(): Promise<number> {
    const finished = this.#reloads.ask(this.#roster.slotsFor('worker'))
    this.#ask()
    return finished
  }

  /** The processes there are, in the order of their places. */
  children(): Child[] {
    return this.#roster.children()
  }

  childReported(child: Child, report: Report): void {
    switch (report.type) {
      case 'hello':
      case 'connection-taken':
        return
      case 'ready':
        child.markReady()
        break
      case 'failed':
        this.options.log.error({ child: child.name, reason: report.reason }, 'it could not start')
        // All that a balancer needs is the port; once one has it, none loses it.
        if (child.role === 'balancer') this.#portLost(this.options.publicPort.lost())
        return
      case 'heartbeat':
        child.vitals = { loopDelayMs: report.loopDelayMs, rssBytes: report.rssBytes }
        this.#noteMemory(child)
        return
      case 'target-state':
        this.#traffic.board.noteState(child, report.id, report.state)
        this.options.log.debug({ by: child.name, worker: report.id, state: report.state }, 'target')
        break
      case 'drained':
        this.#traffic.board.noteDrained(child, report.id)
        break
      case 'crashed':
        this.#noteCrash(child)
        break
      case 'retire-me':
        this.#noteRetirement(child, report.reason)
        break
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
    this.#giveUpOnTheStuck()
    this.#reloads.advance(performance.now())
    for (const slot of this.#roster.slots) {
      this.#fill(slot)
      this.#replace(slot)
    }
    this.#stopTheDrained()
    if (this.#traffic.direct()) this.#nowServing()
    this.#sleepUntilDue()
  }

  #bury(child: Child): void {
    this.#roster.leaving.delete(child)
    this.#traffic.board.forget(child)
    this.#vacate(child)
  }

  /** A death: when is its place filled again? */
  #vacate(child: Child): void {
    const slot = this.#roster.slotOf(child)
    if (slot === undefined || this.#state !== 'running') return
    const wasReplacement = slot.replacement === child
    const wasToGo = slot.replaceWanted && !wasReplacement
    slot.forget(child)
    const reload = this.#reloads.current
    if (wasToGo) reload?.replaced(slot, child, performance.now())
    else if (reload?.failed(slot, child) === true && wasReplacement) return
    this.#vacancies.arose(slot, child)
  }

  #giveUpOnTheStuck(): void {
    const children = this.children()
    this.#watchdog.wake(children)
    for (const child of children) this.#killFor(child, this.#watchdog.hangs(child))
    for (const slot of this.#roster.slots) {
      this.#killFor(
        slot.replacement,
        this.#watchdog.unused(slot, child => this.#traffic.reaches(child)),
      )
    }
  }

  #killFor(child: Child | undefined, reason: string | undefined): void {
    if (child === undefined || reason === undefined) return
    this.options.log.error({ child: child.name, pid: child.pid, reason }, 'it hangs and is killed')
    child.kill(reason)
  }

  #fill(slot: Slot): void {
    if (slot.current?.state === 'ready' && slot.current.servedMs >= PROVEN_MS) slot.parked = false
    if (slot.current !== undefined || performance.now() < slot.notBefore) return
    slot.current = this.#factory.start(slot.role)
  }

  /** Start, ready, healthy, proven, swap, drain: the old one serves until the new one does. */
  #replace(slot: Slot): void {
    if (!slot.replaceWanted || slot.current === undefined || performance.now() < slot.notBefore) return
    slot.replacement ??= this.#factory.start(slot.role)
    if (!this.#traffic.reaches(slot.replacement) || slot.replacement.servedMs < PROVEN_MS) return
    const old = slot.promote()
    if (old === undefined) return
    old.beginDrain()
    this.#roster.leaving.add(old)
    this.#reloads.current?.replaced(slot, old, performance.now())
    const deadline = setTimeout(() => old.stop(CUT_MS), this.options.config.drainTimeoutMs)
    void old.exited.then(() => clearTimeout(deadline))
  }

  #stopTheDrained(): void {
    for (const child of this.#roster.leaving) {
      if (child.state === 'draining' && child.ending === '' && this.#traffic.hasLeft(child)) this.#end(child)
    }
  }

  #end(child: Child): void {
    child.stop(this.options.config.shutdownTimeoutMs)
  }

  #sleepUntilDue(): void {
    clearTimeout(this.#wakeUp)
    const now = performance.now()
    const proofs = this.#roster.slots.flatMap(({ replacement }) => replacement ?? [])
    const due = [this.#vacancies.nextDue ?? Infinity, ...proofs.map(({ servedMs }) => now + PROVEN_MS - servedMs)]
    const next = Math.min(...due.filter(at => at > now))
    if (next < Infinity) this.#wakeUp = setTimeout(() => this.#ask(), next - now + 1)
  }

  /** It takes nothing new and will be gone in a moment: its place is filled already. */
  #noteCrash(child: Child): void {
    child.ending = 'uncaught exception'
    this.#vacate(child)
    child.beginDrain()
    this.#roster.leaving.add(child)
  }

  #noteRetirement(child: Child, reason: string): void {
    const slot = this.#roster.slotOf(child)
    if (this.#state !== 'running' || slot?.retire(child) !== true) return
    this.options.log.info({ child: child.name, reason }, 'it is to be replaced')
  }

  /** One at a time: each replacement needs memory of its own before the old one gives its back. */
  #noteMemory(child: Child): void {
    const { workerMaxMemory } = this.options.config
    const { rssBytes } = child.vitals
    if (workerMaxMemory === 0 || child.role !== 'worker' || rssBytes <= workerMaxMemory) return
    const slot = this.#roster.slotOf(child)
    if (this.#roster.replacing || slot === undefined) return
    if (!this.#bloat.mayReplace(slot)) return
    this.#noteRetirement(child, `it uses ${rssBytes} bytes of memory, ${workerMaxMemory} are allowed`)
    this.#ask()
  }

  /** Those that take traffic in first, and only when nothing comes any more those that serve it. */
  async #stop(): Promise<void> {
    this.#state = 'stopping'
    clearTimeout(this.#wakeUp)
    clearInterval(this.#watch)
    const { cutAt, graceMs } = this.options.shutdown.begin()
    this.#dealer?.stop()
    this.options.publicPort.close()
    for (const child of this.#roster.workers()) child.beginDrain()
    for (const role of ['balancer', 'worker'] as const) {
      const children = this.children().filter(child => child.role === role)
      for (const child of children) child.stop(Math.max(cutAt - performance.now(), graceMs), graceMs)
      await Promise.all(children.map(child => child.exited))
    }
  }
}

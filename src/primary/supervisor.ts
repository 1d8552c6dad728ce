import type { EdgeOrder } from '#balancer/contract/edge-order.js'
import type { Embeddable } from '../config/embedding.js'
import { ControlError, type Progress, type Scale, type Scaled, type Status } from '../control/protocol.js'
import type { Logger } from '../process/log.js'
import type { Service } from '../process/service.js'
import type { LocalState, Report } from '../ipc/messages.js'
import { openFilesLimit } from '../resources/open-files.js'
import { openFilesToSpare } from './host/open-files.js'
import type { ShutdownClock } from './host/shutdown-clock.js'
import type { Action } from './plan/action.js'
import { defaultLimits, type Desired, type PlanLimits } from './plan/desired.js'
import { noHistory, type History } from './plan/observed.js'
import { plan } from './plan/plan.js'
import { pardoned } from './plan/restart-policy.js'
import type { Child, ChildObserver } from './processes/child.js'
import { ChildFactory, type ChildFactoryOptions } from './processes/child-factory.js'
import { oncePerTurn } from './once-per-turn.js'
import { PoolSize } from './pool-size.js'
import { ReleaseChanges } from './releases/release-changes.js'
import { ReleaseSwitch, STARTED } from './releases/release-switch.js'
import { ReloadError, ReloadRequests } from './reload-requests.js'
import { RestartCount } from './restart-count.js'
import { StartRequests } from './start-requests.js'
import { SupervisorLog } from './supervisor-log.js'
import { ConnectionDealer } from './traffic/connection-dealer.js'
import { refuse } from './traffic/refusal.js'
import type { EdgeRunner } from './traffic/edge-runner.js'
import type { FatalRequestNews } from './traffic/fatal-requests.js'
import { Traffic } from './traffic/traffic.js'

export interface SupervisorOptions extends ChildFactoryOptions {
  shutdown: ShutdownClock
  log: Logger
  /** An app uses a server that may not run yet. */
  need(service: Embeddable): void
  /** A line that a child printed. */
  print(child: Child, line: string): void
  /** The release that all clients get; the code that the program was started with by default. */
  release?: string
  /** What is to happen to requests before a worker is looked for. */
  edgeOrder?: () => EdgeOrder
  /** Told of the release that all clients get, and of the last reload that has replaced all workers. */
  follower?: { follow(release: string, generation: number): void }
}

/** The longest time between two passes. */
const LOOK_INTERVAL_MS = 1_000
/** A pass this long after the one before means that this process was stopped, or the machine slept. */
const OVERSLEPT_MS = 3_000

/**
 * Keeps the running processes in the desired state. Signals, exits and messages change the desired or the observed state
 * and request a pass. A pass makes a plan and carries it out.
 */
export class Supervisor implements Service, ChildObserver {
  readonly #children = new Map<string, Child>()
  readonly #factory: ChildFactory
  readonly #limits: PlanLimits
  readonly #traffic: Traffic
  readonly #dealer: ConnectionDealer | undefined
  readonly #reloads = new ReloadRequests()
  readonly #starts = new StartRequests()
  readonly #restarts = new RestartCount()
  readonly #log: SupervisorLog
  readonly #switch: ReleaseSwitch
  readonly #pool: PoolSize
  /** The changes of the release that clients get, and of those beside it. */
  readonly changes: ReleaseChanges
  /** The processes that balance, for orders about requests. */
  readonly edge: EdgeRunner
  #desired: Desired
  #history: History = noHistory
  #state: 'new' | 'running' | 'stopped' = 'new'
  #lookedAt = performance.now()
  #awakeSince = this.#lookedAt
  #wakeUp: NodeJS.Timeout | undefined
  #wakesAt = Infinity
  #look: NodeJS.Timeout | undefined
  #stopped: Promise<void> | undefined
  #allGone: () => void = () => undefined
  /** Requests a pass. */
  readonly #ask = oncePerTurn(() => {
    if (this.#state === 'running') this.#pass()
  })
  /** Resolves when a request can be answered. Rejects with a `PortError` when another program took the port. */
  readonly serving: Promise<void>
  #nowServing: () => void = () => undefined
  #portLost: (error: Error) => void = () => undefined
  /** With HOST unset, an app says where to listen, and the port is opened when it does. */
  #port: 'bound' | 'opening' | 'open' | 'accepting' = 'bound'

  constructor(private readonly options: SupervisorOptions) {
    const { config, publicPort, log } = options
    const { balancers, workerMaxMemory, startTimeoutMs, drainTimeoutMs, shutdownTimeoutMs: stopTimeoutMs } = config
    this.#desired = { generation: 0, releases: [], balancers }
    this.#limits = { ...defaultLimits, workerMaxMemory, startTimeoutMs, drainTimeoutMs, stopTimeoutMs }
    this.#switch = new ReleaseSwitch(options.release ?? STARTED, this.#limits)
    this.#factory = new ChildFactory(options, this)
    this.#pool = new PoolSize(config, {
      onResize: workers => this.#resized(workers),
      onDecision: (workers, reason) => {
        this.#log.autoscales(workers, reason)
        this.#ask()
      },
    })
    this.#log = new SupervisorLog(log, this.#pool.mayBeEmpty ? 'off' : config.sticky)
    const isMesh = balancers === 0
    // One balancer accepts by itself. Several would share what comes by chance.
    if (balancers !== 1) {
      const limit = openFilesLimit()
      this.#dealer = new ConnectionDealer(
        publicPort,
        refuse,
        () => openFilesToSpare(this.#children.size, limit),
        () => isMesh && this.#needsWorker(),
      )
    }
    const balancing = isMesh ? 'worker' : 'balancer'
    const { socketOf, edgeOrder } = options
    const onFatal = (news: FatalRequestNews): void => this.#log.fatalRequest(news)
    this.#traffic = new Traffic(this.#children, balancing, this.#dealer, socketOf, onFatal, edgeOrder)
    const [ask, routed] = [(): void => this.#ask(), (): Promise<void> => this.#traffic.routed()]
    this.edge = { edgeChanged: ask, routed, quiet: until => this.#traffic.quiet(until) }
    const isReloading = (): boolean => this.#reloads.areUnderWay
    const wake = (reason: string): void => this.#pool.wake(reason)
    this.changes = new ReleaseChanges(this.#switch, { ask, routed, wake, isReloading })
    this.serving = new Promise((resolve, reject) => {
      this.#nowServing = resolve
      this.#portLost = reject
    })
  }

  start(): Promise<void> {
    this.#state = 'running'
    const { app, host } = this.options.config
    if (app === undefined || host !== undefined) this.#letListen()
    this.#look = setInterval(() => {
      this.#lookAtLoad()
      this.#ask()
    }, LOOK_INTERVAL_MS)
    this.#pass()
    return Promise.resolve()
  }

  /** The processes that accept traffic end first. Those that serve it end when no more requests come. */
  stop(): Promise<void> {
    this.#stopped ??= new Promise<void>(resolve => {
      this.#allGone = resolve
      this.#dealer?.stop()
      this.#factory.dropSpare()
      this.options.publicPort.close()
      this.#traffic.endPause()
      this.#desired = { ...this.#desired, shutdown: this.options.shutdown.begin() }
      this.#pass()
    })
    return this.#stopped
  }

  /**
   * Replaces every worker, one place at a time. A reload that is requested during another one follows it.
   * @param onProgress called for each worker that is replaced
   * @returns how many were replaced
   * @throws {ReloadError} a new worker did not become ready, or did not last; the old ones keep serving
   * @throws {ControlError} `DEPLOY_UNDER_WAY`
   */
  async reload(onProgress?: (event: Progress) => void): Promise<number> {
    if (this.#switch.underWay !== undefined) throw new ControlError('DEPLOY_UNDER_WAY')
    this.#pool.wake('workers are being replaced')
    const { generation, finished } = this.#reloads.ask(onProgress)
    this.#desired = { ...this.#desired, generation }
    this.#ask()
    return finished
  }

  /**
   * Changes the number of processes, and fixes that of workers. Surplus ones end once all wanted ones serve.
   * @returns the counts that are wanted from now on
   * @throws {ControlError} `MODE_IS_FIXED`: workers are started for one of mesh mode and balancers, so a run keeps to it
   */
  scale(wanted: Scale): Scaled {
    const { workers, balancers = this.wanted.balancers } = wanted
    if ((balancers === 0) !== (this.#desired.balancers === 0)) throw new ControlError('MODE_IS_FIXED')
    this.#desired = { ...this.#desired, balancers }
    this.#pool.setBalancers(balancers)
    if (workers !== undefined) this.#pool.fix(workers)
    this.#ask()
    return this.wanted
  }

  /**
   * Waits until a request can be answered.
   * @throws {StartError} a worker failed before that
   */
  served(): Promise<void> {
    return this.#starts.ask(this.serving)
  }

  get phase(): 'starting' | 'serving' | 'stopping' {
    if (this.#desired.shutdown !== undefined) return 'stopping'
    return this.#starts.areOver ? 'serving' : 'starting'
  }

  restartsOf({ spec }: Child): number {
    return this.#restarts.of(spec)
  }

  /** The counts that are wanted. */
  get wanted(): Scaled {
    return { workers: this.#pool.wanted, balancers: this.#desired.balancers }
  }

  /** Whether no worker runs because nobody needs one; undefined if workers always run. */
  get sleep(): Status['sleep'] {
    const facts = this.#pool.sleep
    return facts && { ...facts, spare: this.#factory.hasSpare }
  }

  /** The running processes: balancers first, then workers, each in the order of their places. */
  children(): Child[] {
    const running = [...this.#children.values()].filter(({ state }) => state !== 'exited')
    const inOrder = running.sort((a, b) => a.spec.place - b.spec.place)
    return (['balancer', 'worker'] as const).flatMap(wanted => inOrder.filter(({ role }) => role === wanted))
  }

  childReported(child: Child, report: Report): void {
    switch (report.type) {
      case 'hello':
      case 'connection-taken':
        return
      case 'ready':
        child.markReady()
        if (child.role === 'worker') this.#openPort(report.host)
        break
      case 'listening':
        this.#port = 'accepting'
        break
      case 'failed':
        this.#log.failedToStart(child, report.reason)
        // A balancer needs only the port to start. Once one balancer has it, no other can lose it.
        if (child.role === 'balancer') this.#portLost(this.options.publicPort.lost())
        return
      case 'heartbeat':
        child.noteVitals(report.vitals)
        return
      case 'needs':
        return this.options.need(report.service)
      case 'keeps-locally':
        return this.#keepsLocally(report.state)
      case 'routed':
        return this.#traffic.noteRouted(child, report.list)
      case 'quiet':
        return this.#traffic.noteQuiet(child, report.pausedUntil)
      case 'target-state':
        this.#traffic.board.noteState(child, report.id, report.state)
        this.#log.targetState(child, report)
        break
      case 'target-out':
        return this.#log.targetOut(report)
      case 'release-figures':
        this.#switch.addFigures(report.figures, performance.now())
        break
      case 'no-worker':
        return this.#needsWorker()
      case 'drained':
        this.#traffic.board.noteDrained(child, report.id)
        break
      case 'clients-gone':
        this.#traffic.board.noteClientsGone(child)
        break
      case 'ended-by-request':
        this.#pardon(report.id)
        break
      case 'fatal-request':
        this.#traffic.fatal.note(report, Date.now())
        break
      case 'hint':
        this.#log.hint(report.message)
        return
      case 'security':
        return this.#log.security(child, report.facts, report.message)
      case 'full':
        return this.#log.full(child, report.connections)
      case 'crashed':
        child.markCrashed()
        break
      case 'replace-me':
        this.#replace(child, report.reason)
        break
    }
    this.#ask()
  }

  childExited(_child: Child): void {
    this.#ask()
  }

  childPrinted(child: Child, line: string): void {
    this.options.print(child, line)
  }

  /** All workers share their limits among so many from now on. */
  #resized(workers: number): void {
    const running = this.children().filter(({ role }) => role === 'worker')
    this.#factory.shareAmong(workers, running)
    this.#log.scaled(workers)
  }

  /** What a worker keeps in its memory is lost when all workers end. Rooms are not: their connections keep the worker. */
  #keepsLocally(state: LocalState): void {
    const isLost = this.#pool.mayBeEmpty && state !== 'rooms'
    this.#log.keepsLocally(state, isLost ? Infinity : this.#pool.whenAwake)
  }

  #lookAtLoad(): void {
    if (this.#desired.shutdown !== undefined) return
    const [children, now] = [this.children(), performance.now()]
    const phase = this.#switch.underWay?.phase
    // A release that is about to get its workers gets as many as it was promised: one more might come too late for it.
    if (phase !== 'starting' && phase !== 'filling') {
      const serving = children.filter(({ spec }) => !this.#switch.isAside(spec.release))
      this.#pool.followLoad(serving, now)
    }
    if (this.#starts.areOver) this.#pool.lookForSleep(children, this.#needOfWorkers(), now)
  }

  /** What needs workers beside the requests that processes tell of. */
  #needOfWorkers(): string | undefined {
    if (this.#switch.underWay !== undefined || this.#switch.warm !== undefined) return 'a release changes'
    if (this.#reloads.areUnderWay) return 'workers are being replaced'
    if (this.options.edgeOrder?.().pausedUntil !== undefined) return 'traffic is paused'
    if ((this.#dealer?.waiting ?? 0) > 0) return 'a request waits'
    return this.children().some(({ role, state }) => role === 'worker' && state === 'starting')
      ? 'a worker starts'
      : undefined
  }

  /** While no worker runs, one waits to be the first. */
  #keepSpare(): void {
    if (!this.#pool.isAsleep) return this.#factory.dropSpare()
    const serves = ({ role, spec }: Child): boolean => role === 'worker' && !this.#switch.isAside(spec.release)
    if (this.children().some(serves)) return
    const { generation } = this.#desired
    this.#factory.prepareSpare({ role: 'worker', release: this.#switch.current, place: 0, generation })
  }

  #needsWorker(): void {
    if (this.#desired.shutdown === undefined) this.#pool.wake('a request waits')
  }

  #pass(): void {
    const now = performance.now()
    if (now - this.#lookedAt >= OVERSLEPT_MS) this.#awakeSince = now
    this.#lookedAt = now
    const children = [...this.#children.values()].map(child => child.observe(this.#traffic.reachabilityOf(child)))
    const observed = { children, history: this.#history, awakeSince: this.#awakeSince }
    if (this.#desired.shutdown === undefined) {
      this.#desired = { ...this.#desired, releases: this.#switch.releases(children, this.wanted.workers, now) }
    }
    const { actions, history } = plan(this.#desired, observed, this.#limits, now)
    this.#history = history
    clearTimeout(this.#wakeUp)
    this.#wakesAt = Infinity
    this.#wakeAt(this.#switch.due, now)
    for (const action of actions) this.#carryOut(action, now)
    if (this.#traffic.isServing && this.#port === 'accepting') {
      // The time without a request begins when the first one could have been answered.
      if (!this.#starts.areOver) this.#pool.wake('the instance serves')
      this.#starts.succeeded()
      this.#nowServing()
    }
    this.options.follower?.follow(this.#switch.current, this.#history.settled)
    if (this.#desired.shutdown === undefined) this.#keepSpare()
    else if (this.#children.size === 0) this.#end()
  }

  #carryOut(action: Action, now: number): void {
    if (action.type === 'start') {
      const child = this.#factory.start(action.spec)
      this.#children.set(child.name, child)
      return
    }
    if (action.type === 'route') return this.#traffic.direct(action.routes)
    if (action.type === 'settle') return this.#settled(action.generation, action.workers)
    if (action.type === 'wait') return this.#wakeAt(action.until, now)
    const child = this.#children.get(action.child)
    if (child === undefined) return
    this.#carryOutOn(child, action)
    // The change may cause further actions, and the balancers need the new list.
    this.#ask()
  }

  #wakeAt(time: number, now: number): void {
    if (time >= this.#wakesAt) return
    clearTimeout(this.#wakeUp)
    this.#wakesAt = time
    this.#wakeUp = setTimeout(() => this.#ask(), time - now + 1)
  }

  #carryOutOn(child: Child, action: Extract<Action, { child: string }>): void {
    switch (action.type) {
      case 'replace':
        return this.#replace(child, action.reason)
      case 'tolerate':
        child.markTolerated()
        return this.#log.toleratesMemory(child)
      case 'drain':
        this.#reloads.replaced(child)
        return child.beginDrain()
      case 'stop':
        return child.stop(action.deadlineMs, action.graceMs)
      case 'kill':
        this.#log.kills(child, action.reason)
        return child.kill(action.reason)
      case 'lose':
        child.markCounted()
        this.#restarts.note(child.spec)
        this.#starts.lost(child)
        this.#switch.lost(child.loss(this.#limits.provenMs))
        return this.#log.lost(child, action.verdict)
      case 'abandon':
        child.markCounted()
        return this.#abandoned(child, action.generation, action.replaced)
      case 'forget':
        this.#traffic.board.forget(child)
        this.#children.delete(child.name)
    }
  }

  #replace(child: Child, reason: string): void {
    if (this.#desired.shutdown !== undefined || !child.markForReplacement(reason)) return
    this.#restarts.note(child.spec)
    this.#log.replaces(child, reason)
  }

  /** @param host the address that the app asked for; HOST counts before it */
  #openPort(host: string | undefined): void {
    const { publicPort } = this.options
    if (this.#port !== 'bound') return this.#log.appAsksFor(host, publicPort.host)
    this.#port = 'opening'
    const isThere = host === undefined || host === publicPort.host
    const moved = isThere ? Promise.resolve() : publicPort.moveTo(host)
    moved.then(() => this.#letListen()).catch(this.#portLost)
  }

  #letListen(): void {
    if (this.#desired.shutdown !== undefined) return this.options.publicPort.close()
    this.#port = this.#dealer === undefined ? 'open' : 'accepting'
    if (this.#dealer === undefined) this.#factory.openPort(this.children().filter(({ role }) => role === 'balancer'))
    else this.#dealer.start()
    this.#ask()
  }

  /** The loss of this process is no sign of a crash loop. */
  #pardon(id: string): void {
    const name = `worker ${id}`
    this.#traffic.board.noteReason(id)
    this.#children.get(name)?.markPardoned()
    const { restarts } = this.#history
    this.#history = { ...this.#history, restarts: { ...restarts, worker: pardoned(restarts.worker, name) } }
  }

  #settled(generation: number, workers: number): void {
    this.#reloads.settled(generation, workers)
    this.#log.reloaded(workers)
  }

  #abandoned(child: Child, generation: number, replaced: number): void {
    void child.printed.then(() => {
      const error = new ReloadError(child, replaced)
      this.#reloads.abandoned(generation, error)
      this.#log.reloadFailed(error)
    })
  }

  #end(): void {
    this.#state = 'stopped'
    clearTimeout(this.#wakeUp)
    clearInterval(this.#look)
    this.#allGone()
  }
}

import { tellsHttps } from '../config/tells-https.js'
import { ControlError, type Progress, type Scale, type Scaled, type Status } from '../control/protocol.js'
import type { Service } from '../process/service.js'
import { openFilesLimit } from '../resources/open-files-limit.js'
import { openFilesToSpare } from './host/open-files-reserve.js'
import { ChildReports } from './child-reports.js'
import { Executor } from './executor.js'
import { PassClock } from './pass-clock.js'
import { fixedLimits, type Desired, type PlanLimits } from './plan/desired.js'
import { noHistory, type History } from './plan/observed.js'
import { plan } from './plan/plan.js'
import type { Child } from './processes/child.js'
import { ChildFactory } from './processes/child-factory.js'
import { oncePerTurn } from './once-per-turn.js'
import { PoolDemand } from './pool-demand.js'
import { PoolSize } from './pool-size.js'
import { PortOpening } from './port-opening.js'
import { ReleaseChanges } from './releases/release-changes.js'
import { ReleaseSwitch, STARTED } from './releases/release-switch.js'
import { ReloadRequests } from './reload-requests.js'
import { StartRequests } from './start-requests.js'
import { SupervisorLog } from './supervisor-log.js'
import type { SupervisorOptions } from './supervisor-options.js'
import { ConnectionDealer } from './traffic/connection-dealer.js'
import { refuse } from './traffic/refusal.js'
import type { EdgeRunner } from './traffic/edge-runner.js'
import { Traffic } from './traffic/traffic.js'

/**
 * Keeps the running processes in the desired state. Signals, exits and messages change the desired or the observed
 * state and request a pass. A pass makes a plan and carries it out.
 */
export class Supervisor implements Service {
  readonly #children = new Map<string, Child>()
  readonly #factory: ChildFactory
  readonly #limits: PlanLimits
  readonly #traffic: Traffic
  readonly #dealer: ConnectionDealer | undefined
  readonly #reloads = new ReloadRequests()
  readonly #starts = new StartRequests()
  readonly #executor: Executor
  readonly #port: PortOpening
  readonly #log: SupervisorLog
  readonly #switch: ReleaseSwitch
  readonly #pool: PoolSize
  readonly #demand: PoolDemand
  /** The changes of the release that clients get, and of those beside it. */
  readonly changes: ReleaseChanges
  /** The processes that balance, for orders about requests. */
  readonly edge: EdgeRunner
  #desired: Desired
  #history: History = noHistory
  /** Since the last pass. */
  #pardons: string[] = []
  #state: 'new' | 'running' | 'stopped' = 'new'
  #stopped: Promise<void> | undefined
  #allGone: () => void = () => undefined
  /** Requests a pass. */
  readonly #ask = oncePerTurn(() => {
    if (this.#state === 'running') this.#pass()
  })
  readonly #clock = new PassClock(this.#ask)

  constructor(private readonly options: SupervisorOptions) {
    const { config, publicPort, log } = options
    const { balancers, workerMaxMemory, startTimeoutMs, drainTimeoutMs, shutdownTimeoutMs: stopTimeoutMs } = config
    this.#desired = { generation: 0, releases: [], balancers }
    this.#limits = { ...fixedLimits, workerMaxMemory, startTimeoutMs, drainTimeoutMs, stopTimeoutMs }
    this.#switch = new ReleaseSwitch(options.release ?? STARTED, this.#limits)
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
      const [limit, onWait] = [openFilesLimit(), (): void => (isMesh ? this.#needsWorker() : undefined)]
      this.#dealer = new ConnectionDealer(
        publicPort,
        (connection, code) => refuse(connection, code, tellsHttps(config)),
        () => openFilesToSpare(this.#children.size, limit),
        onWait,
      )
    }
    const balancing = isMesh ? 'worker' : 'balancer'
    const { socketOf, edgeOrder } = options
    this.#traffic = new Traffic(this.#children, balancing, this.#dealer, socketOf, this.#log, edgeOrder)
    const [ask, routed] = [(): void => this.#ask(), (): Promise<void> => this.#traffic.routed()]
    this.edge = { edgeChanged: ask, routed, quiet: until => this.#traffic.quiet(until) }
    this.changes = new ReleaseChanges(this.#switch, this.#reloads, this.#pool, { ask, routed })
    this.#port = new PortOpening(publicPort, { listen: () => this.#listen() }, this.#log, () =>
      options.whenServersServe(),
    )
    const shared = { children: this.#children, traffic: this.#traffic, releases: this.#switch, log: this.#log }
    const reports = new ChildReports({
      ...shared,
      ask,
      port: this.#port,
      need: service => options.need(service),
      print: (child, line) => options.print(child, line),
      keepsLocally: state => this.#log.keepsLocally(state, this.#pool),
      servedBy: (child, report) => {
        if (this.#factory.noteServedBy(child, report)) this.#log.waitsNoMore(child, report.by)
      },
      endsOwnWork: (child, work) => {
        if (this.#pool.isAsleep) this.#log.endsOwnWork(child, work)
      },
      needsWorker: () => this.#needsWorker(),
      pardon: id => this.#pardon(id),
      replace: (child, reason) => {
        if (this.#desired.shutdown === undefined) this.#executor.replace(child, reason)
      },
    })
    this.#factory = new ChildFactory(options, reports)
    const asked = { factory: this.#factory, reloads: this.#reloads, starts: this.#starts }
    this.#executor = new Executor({ ...shared, ...asked, provenMs: this.#limits.provenMs })
    this.#demand = new PoolDemand({
      ...asked,
      pool: this.#pool,
      releases: this.#switch,
      isPaused: () => edgeOrder?.().pausedUntil !== undefined,
      waiting: () => this.#dealer?.waiting ?? 0,
      cronJob: () => options.cronJob?.(),
    })
  }

  start(): Promise<void> {
    this.#state = 'running'
    const { app, host } = this.options.config
    // Connections at an inherited port are taken once they can be served. Until then the program before may come back.
    const { isInherited } = this.options.publicPort
    if (!isInherited && (app === undefined || host !== undefined)) this.#port.open()
    this.#clock.start(() => {
      if (this.#desired.shutdown === undefined) this.#demand.look(this.children(), performance.now())
    })
    this.#pass()
    return Promise.resolve()
  }

  /** The processes that accept traffic end first. Those that serve it end when no more requests come. */
  stop(): Promise<void> {
    this.#stopped ??= new Promise<void>(resolve => {
      this.#allGone = resolve
      this.#dealer?.stop()
      this.#factory.dropSpare()
      this.#port.close()
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
   * @throws {ControlError} `DEPLOY_UNDER_WAY`, `ROLLED_BACK`
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

  get isReloading(): boolean {
    return this.#reloads.areUnderWay
  }

  /** Resolves when a request can be answered. Rejects with a `PortError` when another program took the port. */
  get serving(): Promise<void> {
    return this.#port.serving
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

  restartsOf(child: Child): number {
    return this.#executor.restartsOf(child)
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

  /** From now on this many workers share their limits. */
  #resized(workers: number): void {
    const running = this.children().filter(({ role }) => role === 'worker')
    this.#factory.shareAmong(workers, running)
    this.#log.scaled(this.#pool)
  }

  #needsWorker(): void {
    if (this.#desired.shutdown === undefined) this.#pool.wake('a request waits')
  }

  #pass(): void {
    const now = performance.now()
    const awakeSince = this.#clock.begin(now)
    const children = [...this.#children.values()].map(child => child.observe(this.#traffic.reachabilityOf(child)))
    const observed = { children, history: this.#history, awakeSince, pardons: this.#pardons }
    this.#pardons = []
    if (this.#desired.shutdown === undefined) {
      const releases = this.#switch.releases(children, this.wanted.workers, now, awakeSince)
      this.#desired = { ...this.#desired, releases, givenUpTo: this.#reloads.givenUpTo }
    }
    const { actions, history } = plan(this.#desired, observed, this.#limits, now)
    this.#history = history
    this.#clock.clear()
    this.#clock.wakeAt(this.#switch.due, now)
    for (const action of actions) {
      if (action.type === 'wait') this.#clock.wakeAt(action.until, now)
      else if (this.#executor.carryOut(action)) this.#ask()
    }
    if (this.#traffic.isServing && this.#port.isAccepting) {
      // The time without a request begins when the first one could have been answered.
      if (!this.#starts.areOver) this.#pool.wake('the instance serves')
      this.#starts.succeeded()
      this.#port.noteServing()
    }
    this.options.follower?.follow(this.#switch.current, this.#history.settled)
    if (this.#desired.shutdown === undefined) this.#demand.keepSpare(this.children(), this.#desired.generation)
    else if (this.#children.size === 0) this.#end()
  }

  /** The dealer accepts at once. Balancers report when they do. */
  #listen(): boolean {
    if (this.#dealer === undefined) this.#factory.openPort(this.children().filter(({ role }) => role === 'balancer'))
    else this.#dealer.start()
    this.#ask()
    return this.#dealer !== undefined
  }

  /** The loss of this process is no sign of a crash loop. */
  #pardon(id: string): void {
    const name = `worker ${id}`
    this.#traffic.board.noteReason(id)
    this.#children.get(name)?.markPardoned()
    this.#pardons.push(name)
  }

  #end(): void {
    this.#state = 'stopped'
    this.#clock.stop()
    this.#allGone()
  }
}

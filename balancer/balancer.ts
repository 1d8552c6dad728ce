import type { IncomingMessage, Server } from 'node:http'
import type { ListenOptions, Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import type { EdgeOrder } from './contract/edge-order.js'
import type { EndedTarget, KnownFatalRequest, TargetSpec } from './contract/targets.js'
import type { BalancerErrorCode } from './errors.js'
import { Listener } from './edge/listener.js'
import { ClientLedger } from './ledger/client-ledger.js'
import { OpenFiles } from './ledger/open-files.js'
import { resolveOptions, type BalancerOptions } from './options.js'
import { Dispatcher, type DispatcherEvents } from './requests/dispatcher.js'
import { HealthCheck, HealthThresholds, ProbePace } from './targets/health-check.js'
import type { Ending, Target } from './targets/target.js'
import { TargetPool } from './targets/target-pool.js'
import { LocalTarget, type LocalApp } from './transports/local-target.js'
import { Upstream, type UpstreamEvents } from './transports/upstream.js'

/** Counts of this moment. All are zero when the balancer is idle. */
export interface Ledger {
  inFlight: number
  upgraded: number
  waiting: number
}

export interface BalancerEvents extends DispatcherEvents {
  /** A piece of a streamed body was passed on, in either direction. */
  onBytesPassed?(bytes: number): void
  /** The last request in flight at a draining target has ended. */
  onDrained?(id: string): void
  onTargetState?(id: string, state: string): void
  /** A target stays out of use. */
  onTargetOut?(id: string, reason: string): void
  /** A client gets no more of something, so that others get theirs. Called once for each, and for a few clients only. */
  onShareReached?(client: string, resource: string): void
  /** A request was refused whose end, target or host two parsers could read differently. @param client its address */
  onRefused?(code: BalancerErrorCode, client: string): void
  /** The turn of a request has come on its connection. Nothing of its answer was written. */
  onBegun?(request: IncomingMessage): void
  /** Connections are refused because the limit of open ones is reached. Called once a minute at most. */
  onFull?(connections: number): void
}

/**
 * An HTTP reverse proxy for targets on unix sockets: balances by request, checks health, retries, holds and drains.
 *
 * @example
 * const balancer = new Balancer({ balance: 'least-busy' })
 * balancer.setTargets([{ id: '1', socketPath: '/run/app/1.sock', draining: false }])
 * await balancer.listen({ port: 3000 })
 */
export class Balancer {
  readonly options: BalancerOptions
  readonly #pool: TargetPool
  readonly #dispatcher: Dispatcher
  readonly #listener: Listener
  readonly #openFiles: OpenFiles
  readonly #checks = new Map<string, HealthCheck>()
  readonly #probePace = new ProbePace()
  #localId: string | undefined
  #stopped: Promise<void> | undefined

  constructor(
    options: Partial<BalancerOptions> = {},
    private readonly events: BalancerEvents = {},
  ) {
    this.options = resolveOptions(options)
    this.#pool = new TargetPool(this.options)
    this.#pool.on('drained', target => events.onDrained?.(target.id))
    this.#pool.on('changed', target => {
      events.onTargetState?.(target.id, target.state)
      if (target.state === 'ejected')
        events.onTargetOut?.(target.id, `${this.options.ejectAfter} requests in a row failed`)
      if (target.state === 'ejected' || target.state === 'unreachable') this.#checks.get(target.id)?.hurry()
    })
    const places = (): number => this.#pool.capacity
    const { maxOpenFiles, maxSockets, maxBound, pipelinedBytes, heldBytes } = this.options
    this.#openFiles = new OpenFiles(maxOpenFiles, places)
    const capacities = {
      connections: () => Math.min(maxSockets, this.#openFiles.forClients),
      places,
      polls: () => this.#pool.size * maxBound,
      parsedBytes: () => pipelinedBytes,
      heldBytes: () => heldBytes,
    }
    const ledger = new ClientLedger(capacities, (client, resource) => events.onShareReached?.(client, resource))
    this.#dispatcher = new Dispatcher(this.#pool, this.options, this.#openFiles, ledger.resources, events)
    this.#listener = new Listener(this.#dispatcher, ledger, events)
  }

  /** Listens on a port, a path, or a handle that another process has bound. */
  listen(where: ListenOptions | object): Promise<void> {
    return this.#listener.listen(where)
  }

  address(): ReturnType<Server['address']> {
    return this.#listener.address()
  }

  /** Serves a connection that another process has accepted. */
  adopt(socket: Socket): void {
    this.#listener.adopt(socket)
  }

  /**
   * Mesh mode: adds the app in this process, which is ready.
   * @param socketPath where siblings reach the app; it is probed there like any other target. Not probed without it
   */
  setLocal(id: string, app: LocalApp, socketPath?: string): void {
    this.#localId = id
    const target = this.#pool.add(id, new LocalTarget(app), true)
    target.markReady()
    if (socketPath !== undefined) this.#watch(target, socketPath)
  }

  /** The same for an app that is reached over its socket as well, because its server makes the messages in its own way. */
  setLocalServer(id: string, socketPath: string): void {
    this.#localId = id
    this.#add({ id, socketPath }, true).markReady()
  }

  /**
   * Gives up the app in this process. Requests that it has not answered go elsewhere if they may be repeated.
   * @param patienceMs how long it may take to finish the rest
   */
  dropLocal(patienceMs: number): void {
    const local = this.#localId === undefined ? undefined : this.#pool.get(this.#localId)
    if (local === undefined) return
    this.#pool.noteEnd(local.id, 'fault')
    this.#remove(local.id)
    local.closeUpgraded()
    setTimeout(() => local.breakOff(), patienceMs).unref()
  }

  /**
   * Mesh mode: the app ends this process at once. What has no answer yet is answered as far as that can be done now. A
   * request that was alone at the app is taken for the reason.
   */
  abandon(): void {
    const local = this.#localId === undefined ? undefined : this.#pool.get(this.#localId)
    // Nothing that waits may take the place of what is given up.
    this.#dispatcher.stop()
    const [request, ...others] = local?.abandon() ?? []
    for (const target of this.#pool.targets()) target.abandon()
    if (local === undefined || request === undefined || others.length > 0) return
    this.events.onTargetExplained?.(local.id)
    this.#dispatcher.fatal.record(request, 1, performance.now())
  }

  /**
   * Makes `specs` the whole set of targets. Those that are missing from it are removed, but for the app in this
   * process: the list may have been written before it was ready.
   * @param balancers how many balancers share the clients, this one included
   * @param ended the last that have ended, as far as that is known
   * @param fatal requests that have ended targets, as other balancers have found
   */
  setTargets(
    specs: readonly TargetSpec[],
    balancers = 1,
    ended: readonly EndedTarget[] = [],
    fatal: readonly KnownFatalRequest[] = [],
  ): void {
    this.#listener.shareClientsAmong(balancers)
    this.#probePace.shareTargetsAmong(balancers)
    // First: what follows may send requests elsewhere.
    this.#pool.shareClients(specs)
    this.#dispatcher.tally.follow()
    const wanted = new Set(specs.map(spec => spec.id))
    for (const { id } of [...this.#pool.targets()]) if (!wanted.has(id) && id !== this.#localId) this.#remove(id)
    for (const spec of specs) {
      if (this.#pool.get(spec.id) === undefined && spec.id !== this.#localId) this.#add(spec)
      if (spec.draining) this.#pool.get(spec.id)?.beginDrain()
    }
    this.#dispatcher.fatal.learn(fatal, performance.now())
    this.#dispatcher.suspects.shareTargetsAmong(balancers)
    const news = ended.filter(target => this.#pool.noteEnd(target.id, endingOf(target)))
    if (news.length > 0) this.#dispatcher.suspects.review()
  }

  /** Sets the order about requests that applies from now on, before a target is looked for. */
  setEdge(order: EdgeOrder): void {
    this.#dispatcher.obey(order)
  }

  ledger(): Ledger {
    const ledger = { inFlight: 0, upgraded: 0, waiting: this.#dispatcher.waiting + this.#listener.pipelined }
    for (const target of this.#pool.targets()) {
      ledger.inFlight += target.inFlight + target.bound
      ledger.upgraded += target.upgraded
    }
    return ledger
  }

  /** The requests that wait until a target has a place for them, or until one is ready. */
  get waitingForTarget(): number {
    return this.#dispatcher.room.size
  }

  /** The open connections of clients. */
  get connections(): number {
    return this.#listener.connections
  }

  /** Makes every answer from now on the last on its connection, so that clients open new ones. */
  askForNewConnections(): void {
    this.#dispatcher.closeAfterAnswers()
  }

  /**
   * Makes every answer from now on the last on its connection. Polls and upgraded connections, which would keep theirs
   * for long, are ended, whatever target they are at.
   */
  closeAfterAnswers(): void {
    this.askForNewConnections()
    for (const target of this.#pool.targets()) target.endLongLived()
  }

  /**
   * Closes connections whose request has its answer, and whose body has not been read on for two seconds. Has to be called
   * again and again.
   */
  closeUnread(): void {
    this.#listener.closeUnread()
  }

  /** Accepts no new connections by itself. Those that are open are served as before. */
  stopListening(): void {
    this.#listener.stopListening()
  }

  /**
   * Takes no new connections, lets requests in flight end, and cuts what has not ended by the deadline.
   * @param settleMs how long connections without a request stay open, because one may be on its way
   */
  stop(deadlineMs: number, settleMs = 0): Promise<void> {
    this.#stopped ??= this.#stop(deadlineMs, settleMs)
    return this.#stopped
  }

  async #stop(deadlineMs: number, settleMs: number): Promise<void> {
    this.closeAfterAnswers()
    this.stopListening()
    const settlesMs = Math.min(settleMs, deadlineMs / 2)
    if (settlesMs > 0) await sleep(settlesMs)
    const leftMs = deadlineMs - settlesMs
    // Requests that wait must have time for their answers.
    this.#dispatcher.pause.endWithin(leftMs / 2)
    await this.#listener.close(leftMs)
    this.#dispatcher.stop()
    for (const id of [...this.#checks.keys()]) this.#remove(id)
  }

  #add({ id, socketPath }: Pick<TargetSpec, 'id' | 'socketPath'>, local = false): Target {
    const events: UpstreamEvents = {
      onRefused: () => target.markUnreachable(),
      onBytesPassed: bytes => this.events.onBytesPassed?.(bytes),
    }
    const upstream = new Upstream(socketPath, this.options, events, this.#openFiles)
    const target = this.#pool.add(id, upstream, local)
    this.#watch(target, socketPath)
    return target
  }

  #watch(target: Target, socketPath: string): void {
    const out = (reason: string): void => this.events.onTargetOut?.(target.id, reason)
    const thresholds = new HealthThresholds(target, this.options, out)
    const check = new HealthCheck(socketPath, thresholds, this.options, this.#probePace)
    this.#checks.set(target.id, check)
    check.start()
  }

  #remove(id: string): void {
    this.#checks.get(id)?.stop()
    this.#checks.delete(id)
    this.#pool.remove(id)
  }
}

function endingOf({ fault, explained }: EndedTarget): Ending {
  if (explained === true) return 'explained'
  return fault ? 'fault' : 'killed'
}

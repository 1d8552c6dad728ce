import type { ChildProcess } from 'node:child_process'
import { parseReport, sendOrder, type Order, type Report } from '../../ipc/messages.js'
import { noVitals, type Vitals } from '../../ipc/vitals.js'
import type { StartSpec } from '../plan/action.js'
import type { ChildRole, ChildState, ObservedChild, Reachability } from '../plan/observed.js'
import type { LostWorker } from '../releases/fault.js'
import type { Connection } from '../traffic/connection-dealer.js'
import { ChildEnding } from './child-ending.js'
import { ConnectionTurns } from './connection-turns.js'
import { forkProcess, type ForkOptions } from './fork.js'
import { onceRead, readOutput } from './lines.js'
import { Readiness } from './readiness.js'
import { onceEnded } from './spawn.js'

/** Called when something happens to a child. Observers only record it; the next pass acts. */
export interface ChildObserver {
  childReported(child: Child, report: Report): void
  childExited(child: Child): void
  childPrinted(child: Child, line: string): void
}

/** A balancer or a worker as the primary sees it. Its state changes here only. */
export class Child {
  readonly role: ChildRole
  /** In messages, e.g. "worker 3". */
  readonly name: string
  #state: ChildState = 'starting'
  readonly #startedAt = performance.now()
  #readyAt: number | undefined
  #endedAt: number | undefined
  #heardAt = this.#startedAt
  #drainingSince: number | undefined
  #killAt: number | undefined
  #leaving = false
  #replaceReason: string | undefined
  #tolerated = false
  #pardoned = false
  #counted = false
  #vitals = noVitals
  readonly #ending = new ChildEnding()
  /** Orders that were given before the `hello` of the process. */
  #early: Array<[order: Order, handle: object | undefined]> | undefined = []
  readonly #readiness: Readiness
  /** Connections on their way to the process. */
  readonly #given: ConnectionTurns
  /** The last output of the process, for the report of its end. */
  readonly lastLines: readonly string[]
  readonly exited: Promise<void>
  /** Resolves when all output of the process has been read, which is after its end. */
  readonly printed: Promise<void>

  private constructor(
    /** Unique among its role over the life of the primary. */
    readonly id: string,
    readonly spec: StartSpec,
    private readonly process: ChildProcess,
    observer: ChildObserver,
  ) {
    this.role = spec.role
    this.name = `${spec.role} ${id}`
    this.#given = new ConnectionTurns(connection => {
      process.send({ type: 'connection' }, connection as never, { keepOpen: true }, () => undefined)
    })
    this.#readiness = new Readiness(report => observer.childReported(this, report))
    this.exited = new Promise(resolve => {
      onceEnded(process, (ending, { signal }) => {
        this.#end(ending, signal)
        observer.childExited(this)
        this.#takeBackGiven()
        resolve()
      })
    })
    process.on('message', message => {
      this.#heardAt = performance.now()
      if (message === Readiness.WORD) return this.#readiness.noteWord()
      const report = parseReport(message)
      if (report === undefined) return
      if (report.type === 'hello') this.#greeted()
      else if (report.type === 'connection-taken') this.#given.taken()
      else if (report.type === 'ready') this.#readiness.noteReport(report)
      else observer.childReported(this, report)
    })
    this.printed = onceRead(process, this.exited)
    this.lastLines = readOutput(process, line => observer.childPrinted(this, line))
  }

  static fork(id: string, spec: StartSpec, options: ForkOptions, observer: ChildObserver): Child {
    return new Child(id, spec, forkProcess(id, spec, options), observer)
  }

  /** A process that was forked before it was wanted. */
  static adopt(id: string, spec: StartSpec, process: ChildProcess, observer: ChildObserver): Child {
    return new Child(id, spec, process, observer)
  }

  get pid(): number | undefined {
    return this.process.pid
  }

  get state(): ChildState {
    return this.#state
  }

  get heardAt(): number {
    return this.#heardAt
  }

  get vitals(): Vitals {
    return this.#vitals
  }

  /** An exit code, the name of a signal, "uncaught exception", or the reason why it was killed or never ran. */
  get ending(): string {
    return this.#ending.text
  }

  /** It has exited because of a fault of its own: it hung, or broke. */
  get hasFailed(): boolean {
    return this.#ending.isFailure
  }

  /** It has exited for any reason of its own, and not because somebody sent it a signal. */
  get endedByFault(): boolean {
    return this.#ending.isByFault
  }

  /** How long ago the process was started, in milliseconds. */
  get ageMs(): number {
    return (this.#endedAt ?? performance.now()) - this.#startedAt
  }

  /** How long the process has served, up to now or its end, in milliseconds; 0 if it never became ready. */
  get servedMs(): number {
    return this.#readyAt === undefined ? 0 : (this.#endedAt ?? performance.now()) - this.#readyAt
  }

  /** The report of an unasked end. @param provenMs the end is early before the process has served so long */
  loss(provenMs: number): LostWorker {
    const { name, ending, servedMs, lastLines, printed } = this
    const early = servedMs < provenMs && !this.#pardoned
    return { name, release: this.spec.release, ending, servedMs, early, lastLines, printed }
  }

  /** The facts that the plan uses. */
  observe(reachability: Reachability): ObservedChild {
    return {
      ...this.spec,
      ...reachability,
      name: this.name,
      state: this.#state,
      startedAt: this.#startedAt,
      readyAt: this.#readyAt,
      heardAt: this.#heardAt,
      drainingSince: this.#drainingSince,
      killAt: this.#killAt,
      leaving: this.#leaving,
      servedMs: this.servedMs,
      rssBytes: this.#vitals.rssBytes,
      lastSecond: this.#vitals,
      replaceReason: this.#replaceReason,
      tolerated: this.#tolerated,
      pardoned: this.#pardoned,
      counted: this.#counted,
    }
  }

  send(order: Order, handle?: object): void {
    if (this.#early === undefined) sendOrder(this.process, order, handle)
    else this.#early.push([order, handle])
  }

  /**
   * Passes a connection to the child. The connection stays open here until the child confirms it, because a message to
   * a process that exits is lost without an error.
   * @param undelivered called when the child has exited without taking the connection
   * @returns false when the child has exited already
   */
  give(connection: Connection, undelivered: () => void): boolean {
    if (!this.process.connected) return false
    this.#given.add(connection, undelivered)
    return true
  }

  /** Gives up a connection on its way to the child, of a client with more of these than this connection's client. */
  pushOutFor(connection: Connection): Connection | undefined {
    return this.#given.pushOutFor(connection)
  }

  /** It is ready only once its app has said so. Called before the app runs. */
  awaitWord(): void {
    this.#readiness.awaitWord()
  }

  noteVitals(vitals: Vitals): void {
    this.#vitals = vitals
  }

  markReady(): void {
    if (this.#state !== 'starting') return
    this.#state = 'ready'
    this.#readyAt = performance.now()
  }

  /** The process threw an uncaught exception. It hands over its connections and exits by itself. */
  markCrashed(): void {
    if (!this.#isServing) return
    this.#state = 'crashed'
    this.#leaving = true
    this.#endedAt = performance.now()
    this.#ending.noteCrash()
  }

  /** The plan has counted the loss of this process. */
  markCounted(): void {
    this.#counted = true
  }

  /** A request has ended the process, or is about to. */
  markPardoned(): void {
    this.#pardoned = true
  }

  markTolerated(): void {
    this.#tolerated = true
  }

  /**
   * Marks the process as one to be replaced.
   * @returns false when it was marked before, or has given up its place
   */
  markForReplacement(reason: string): boolean {
    if (this.#replaceReason !== undefined || this.#leaving) return false
    this.#replaceReason = reason
    return true
  }

  /** Whether connections are on their way to the process. */
  get awaitsConnections(): boolean {
    return this.#given.areWaiting
  }

  /** Orders the process to drain. A crashed process stays `crashed`, so its reports are still ignored. */
  beginDrain(): void {
    if (!this.#isServing && this.#state !== 'crashed') return
    if (this.#state !== 'crashed') this.#state = 'draining'
    this.#leaving = true
    this.#drainingSince ??= performance.now()
    this.send({ type: 'drain' })
    this.#given.sendBack()
  }

  /**
   * Orders the process to cut the requests that are open at the deadline, and to exit.
   * @param graceMs the process may be killed this long after the deadline
   * @param settleMs how long it keeps connections open that have no request
   */
  stop(deadlineMs: number, graceMs: number, settleMs?: number): void {
    if (this.#state === 'stopping' || this.#state === 'exited') return
    this.#state = 'stopping'
    this.#leaving = true
    this.#killAt = performance.now() + deadlineMs + graceMs
    this.send({ type: 'stop', deadlineMs, ...(settleMs !== undefined && { settleMs }) })
  }

  /**
   * @param reason becomes the `ending`
   * @param graceMs the process may end itself within this time
   */
  kill(reason?: string, graceMs = 0): void {
    if (this.#state === 'exited') return
    this.#state = 'stopping'
    this.#ending.noteKill(reason && this.#readiness.explain(reason))
    this.#killAt = graceMs > 0 ? performance.now() + graceMs : undefined
    if (graceMs <= 0 && this.pid !== undefined) this.process.kill('SIGKILL')
  }

  get #isServing(): boolean {
    return this.#state === 'starting' || this.#state === 'ready'
  }

  #end(ending: string, signal: NodeJS.Signals | undefined): void {
    this.#readiness.end()
    if (this.#state !== 'crashed') this.#ending.noteExit(ending, signal)
    this.#endedAt ??= performance.now()
    this.#state = 'exited'
  }

  /** Waits until the channel is closed, and so read to its end: the `exit` event comes earlier. */
  #takeBackGiven(): void {
    if (this.process.connected) setImmediate(() => this.#takeBackGiven())
    else this.#given.sendAllBack()
  }

  #greeted(): void {
    const early = this.#early ?? []
    this.#early = undefined
    for (const [order, handle] of early) sendOrder(this.process, order, handle)
  }
}

import type { ChildProcess } from 'node:child_process'
import { parseReport, sendOrder, type Order, type Report } from '../../ipc/messages.js'
import type { StartSpec } from '../plan/action.js'
import type { ChildRole, ChildState, ObservedChild } from '../plan/observed.js'
import type { Connection } from '../traffic/connection-dealer.js'
import { forkProcess, type AppLaunch } from './fork.js'
import { readOutput } from './lines.js'
import { onceEnded } from './spawn.js'

/** Told what happens to a child. It records; the next pass acts. */
export interface ChildObserver {
  childReported(child: Child, report: Report): void
  childExited(child: Child): void
  childPrinted(child: Child, line: string): void
}

export interface ForkOptions {
  /** The program: `dist/main.js`. */
  program: string
  lifelineFd: number
  /** What workers run in place of the built-in app; asked for each of them. */
  app?: (place: number) => AppLaunch
}

/** As of the last heartbeat of a process. */
export interface Vitals {
  /** How long its event loop was held up, in milliseconds. */
  readonly loopDelayMs: number
  /** Resident memory. */
  readonly rssBytes: number
}

/** What else the primary knows of a child, from the processes that balance. */
export type Reachability = Pick<ObservedChild, 'reachable' | 'drained'>

/** A balancer or a worker as the primary sees it. The only place where its state changes. */
export class Child {
  #state: ChildState = 'starting'
  readonly #startedAt = performance.now()
  #readyAt: number | undefined
  #endedAt: number | undefined
  #heardAt = this.#startedAt
  #drainingSince: number | undefined
  #killAt: number | undefined
  #leaving = false
  #retiring: string | undefined
  #tolerated = false
  #counted = false
  #vitals: Vitals = { loopDelayMs: 0, rssBytes: 0 }
  #ending = ''
  #killedFor: string | undefined
  /** Orders given before the process said hello. */
  #early: Array<[order: Order, handle: object | undefined]> | undefined = []
  /** Connections on their way to the process, in their order. */
  readonly #given: Array<{ connection: Connection; undelivered: () => void }> = []
  /** What the process printed last, for the report of its end. */
  readonly lastLines: readonly string[]
  readonly exited: Promise<void>

  private constructor(
    /** Unique among its role over the life of the primary. */
    readonly id: string,
    readonly spec: StartSpec,
    private readonly process: ChildProcess,
    observer: ChildObserver,
  ) {
    this.exited = new Promise(resolve => {
      onceEnded(process, ending => {
        this.#end(this.#killedFor ?? ending)
        observer.childExited(this)
        this.#takeBackGiven()
        resolve()
      })
    })
    process.on('message', message => {
      this.#heardAt = performance.now()
      const report = parseReport(message)
      if (report === undefined) return
      if (report.type === 'hello') this.#greeted()
      else if (report.type === 'connection-taken') this.#given.shift()?.connection.close()
      else observer.childReported(this, report)
    })
    this.lastLines = readOutput(process, line => observer.childPrinted(this, line))
  }

  static fork(id: string, spec: StartSpec, options: ForkOptions, observer: ChildObserver): Child {
    return new Child(id, spec, forkProcess(id, spec, options), observer)
  }

  get role(): ChildRole {
    return this.spec.role
  }

  /** For people, e.g. "worker 3". */
  get name(): string {
    return `${this.role} ${this.id}`
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

  /** How it ended: an exit code, the name of a signal, "uncaught exception", why it was killed, or why it never ran. */
  get ending(): string {
    return this.#ending
  }

  /** How long it has served, or had when it ended, in milliseconds; 0 when it never became ready. */
  get servedMs(): number {
    return this.#readyAt === undefined ? 0 : (this.#endedAt ?? performance.now()) - this.#readyAt
  }

  /** What the plan is made from. */
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
      retiring: this.#retiring,
      tolerated: this.#tolerated,
      counted: this.#counted,
    }
  }

  send(order: Order, handle?: object): void {
    if (this.#early === undefined) sendOrder(this.process, order, handle)
    else this.#early.push([order, handle])
  }

  /**
   * Hands over a connection, and lets go of it here once the child says that it has it: what is on the way to a process
   * that dies is lost without a word.
   * @param undelivered called when the child has gone without having taken it
   * @returns false when the child is not there any more
   */
  give(connection: Connection, undelivered: () => void): boolean {
    if (!this.process.connected) return false
    this.#given.push({ connection, undelivered })
    this.process.send({ type: 'connection' }, connection as never, { keepOpen: true }, () => undefined)
    return true
  }

  noteVitals(vitals: Vitals): void {
    this.#vitals = vitals
  }

  markReady(): void {
    if (this.#state !== 'starting') return
    this.#state = 'ready'
    this.#readyAt = performance.now()
  }

  /** It threw an exception that nobody caught: it hands over what it can, and exits by itself. */
  markCrashed(): void {
    if (!this.#isServing) return
    this.#state = 'crashed'
    this.#leaving = true
    this.#endedAt = performance.now()
    this.#ending = 'uncaught exception'
  }

  /** Its loss was taken account of. */
  markCounted(): void {
    this.#counted = true
  }

  markTolerated(): void {
    this.#tolerated = true
  }

  /**
   * It is to have a successor.
   * @returns false when that was known
   */
  retire(reason: string): boolean {
    if (this.#retiring !== undefined || this.#leaving) return false
    this.#retiring = reason
    return true
  }

  /** Takes nothing new from now on. One that has crashed stays so: its word does not count any more. */
  beginDrain(): void {
    if (!this.#isServing && this.#state !== 'crashed') return
    if (this.#state !== 'crashed') this.#state = 'draining'
    this.#leaving = true
    this.#drainingSince ??= performance.now()
    this.send({ type: 'drain' })
  }

  /**
   * Asks it to cut what has not ended by the deadline, and to exit.
   * @param graceMs after the deadline it may be killed
   */
  stop(deadlineMs: number, graceMs: number): void {
    if (this.#state === 'stopping' || this.#state === 'exited') return
    this.#state = 'stopping'
    this.#leaving = true
    this.#killAt = performance.now() + deadlineMs + graceMs
    this.send({ type: 'stop', deadlineMs })
  }

  /** @param reason told as its ending */
  kill(reason?: string): void {
    if (this.#state === 'exited') return
    this.#state = 'stopping'
    this.#killAt = undefined
    this.#killedFor ??= reason
    if (this.pid !== undefined) this.process.kill('SIGKILL')
  }

  get #isServing(): boolean {
    return this.#state === 'starting' || this.#state === 'ready'
  }

  #end(ending: string): void {
    if (this.#state !== 'crashed') this.#ending = ending
    this.#endedAt ??= performance.now()
    this.#state = 'exited'
  }

  /** Once all that it said is read: Node tells of an exit before, and does not tell of a channel's end in mid-handover. */
  #takeBackGiven(): void {
    if (this.process.connected) setImmediate(() => this.#takeBackGiven())
    else for (const { undelivered } of this.#given.splice(0)) undelivered()
  }

  #greeted(): void {
    const early = this.#early ?? []
    this.#early = undefined
    for (const [order, handle] of early) sendOrder(this.process, order, handle)
  }
}

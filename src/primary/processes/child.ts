import type { ChildProcess } from 'node:child_process'
import { parseReport, sendOrder, type Order, type Report } from '../../ipc/messages.js'
import type { Connection } from '../traffic/connection-dealer.js'
import { forkProcess } from './fork.js'
import { readOutput } from './lines.js'
import { onceEnded } from './spawn.js'

export type ChildRole = 'worker' | 'balancer'

/**
 * - `starting`: forked, not ready yet
 * - `ready`: serves
 * - `draining`: takes nothing new, what it has goes on
 * - `stopping`: told to end
 * - `exited`
 */
export type ChildState = 'starting' | 'ready' | 'draining' | 'stopping' | 'exited'

/** Told what happens to a child. It only takes note; the reconcile loop acts. */
export interface ChildObserver {
  childReported(child: Child, report: Report): void
  childExited(child: Child): void
  childPrinted(child: Child, line: string): void
}

export interface ForkOptions {
  /** The program: `dist/main.js`. */
  program: string
  lifelineFd: number
}

/** A balancer or a worker as the primary sees it. The only place where its state changes. */
export class Child {
  #state: ChildState = 'starting'
  #readyAt: number | undefined
  #killTimer: NodeJS.Timeout | undefined
  /** Orders given before it said hello. */
  #early: Array<[order: Order, handle: object | undefined]> | undefined = []
  /** When it was started, and when it was last heard of; both later by what the primary has slept since. */
  startedAt = performance.now()
  heardAt = this.startedAt
  /** As of its last heartbeat: how long its event loop was held up, and its resident memory. */
  vitals = { loopDelayMs: 0, rssBytes: 0 }
  /** Connections on their way to it, in their order. */
  readonly #given: Array<{ connection: Connection; undelivered: () => void }> = []
  /** What it printed last, for the report of its death. */
  readonly lastLines: readonly string[]
  /** How it ended: an exit code, the name of a signal, why it was killed, or why it never was. */
  ending = ''
  #killedFor: string | undefined
  readonly exited: Promise<void>

  private constructor(
    readonly role: ChildRole,
    /** Unique among its role over the life of the primary. */
    readonly id: string,
    private readonly process: ChildProcess,
    observer: ChildObserver,
  ) {
    this.exited = new Promise(resolve => {
      onceEnded(process, ending => {
        this.ending = this.#killedFor ?? ending
        this.#state = 'exited'
        clearTimeout(this.#killTimer)
        observer.childExited(this)
        this.#takeBackGiven()
        resolve()
      })
    })
    process.on('message', message => {
      this.heardAt = performance.now()
      const report = parseReport(message)
      if (report === undefined) return
      if (report.type === 'hello') this.#greeted()
      else if (report.type === 'connection-taken') this.#given.shift()?.connection.close()
      else observer.childReported(this, report)
    })
    this.lastLines = readOutput(process, line => observer.childPrinted(this, line))
  }

  static fork(role: ChildRole, id: string, options: ForkOptions, observer: ChildObserver): Child {
    const { program, lifelineFd } = options
    return new Child(role, id, forkProcess(role, program, id, lifelineFd), observer)
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

  /** It takes, or will take, its part of the work. */
  get serving(): boolean {
    return this.#state === 'starting' || this.#state === 'ready'
  }

  /** How long it has served, in milliseconds; 0 when it never became ready. */
  get servedMs(): number {
    return this.#readyAt === undefined ? 0 : performance.now() - this.#readyAt
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

  markReady(): void {
    if (this.#state !== 'starting') return
    this.#state = 'ready'
    this.#readyAt = performance.now()
  }

  beginDrain(): void {
    if (!this.serving) return
    this.#state = 'draining'
    this.send({ type: 'drain' })
  }

  /** It could not be heard of for a while, which is not its fault. */
  excuse(): void {
    this.startedAt = this.heardAt = performance.now()
  }

  /** Asks it to cut what has not ended by the deadline and to end, and makes it end when it has not by the grace. */
  stop(deadlineMs: number, graceMs = KILL_GRACE_MS): void {
    if (this.#state === 'stopping' || this.#state === 'exited') return
    this.#state = 'stopping'
    this.send({ type: 'stop', deadlineMs })
    this.#killTimer = setTimeout(() => this.kill(), deadlineMs + graceMs)
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

  /** @param reason told as its ending */
  kill(reason?: string): void {
    if (this.#state === 'exited') return
    this.#state = 'stopping'
    this.#killedFor ??= reason
    if (this.pid !== undefined) this.process.kill('SIGKILL')
  }
}

const KILL_GRACE_MS = 1_000

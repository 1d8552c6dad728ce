import type { IncomingMessage } from 'node:http'
import type { Target } from '../targets/target.js'
import { BodyProgress, type BodyState } from '../transports/body-progress.js'
import type { Deadlines } from './deadlines.js'
import type { Dispatcher, Supervised } from './dispatcher.js'

interface Timed extends Supervised {
  readonly request: IncomingMessage
}

/** The times of one request: when it was sent, the deadline that it is under, and how long its answer took to begin. */
export class RequestClock {
  /** When a target first had the whole request, in the clock of `performance.now()`; 0 before. */
  #sentAt = 0
  /** When it was sent to its target; 0 while that is not measured. */
  #measuredFrom = 0
  #progress: BodyProgress | undefined
  #deadlines: Deadlines<Supervised> | undefined

  constructor(
    private readonly timed: Timed,
    private readonly dispatcher: Dispatcher,
  ) {}

  /** How long ago a target had the whole request, in milliseconds. */
  get sentForMs(): number {
    return performance.now() - this.#sentAt
  }

  /** The same while a target has it; without end while its client is still sending it. */
  get waitsForMs(): number {
    if (this.#sentAt !== 0) return this.sentForMs
    return this.timed.request.complete ? 0 : Infinity
  }

  beginMeasuring(): void {
    this.#measuredFrom = this.dispatcher.tally.begin()
  }

  /** Each answer once: the app in this process does not say when it begins. */
  measure(target: Target | undefined, status: number): void {
    if (this.#measuredFrom === 0) return
    const from = Math.max(this.#measuredFrom, this.#sentAt)
    this.#measuredFrom = 0
    this.dispatcher.tally.answered(target, this.timed.account, status, from)
  }

  watchBody(): void {
    this.#progress = new BodyProgress(this.timed.request, this.dispatcher.options, performance.now())
    this.#waitWithin(this.dispatcher.progressing)
  }

  /** The deadline for the answer counts from the first time, however often the request is sent. */
  bodySent(): void {
    const isFirst = this.#sentAt === 0
    if (isFirst) this.#sentAt = performance.now()
    this.#waitWithin(isFirst ? this.dispatcher.awaiting : this.dispatcher.progressing)
  }

  /** No target had the request. */
  notSent(): void {
    this.#sentAt = 0
  }

  /** The side that lets the request wait for too long; `moves` if none does, and then it is checked again later. */
  check(): BodyState {
    const state = this.#sentAt === 0 ? this.#bodyState : this.#answerState
    if (state === 'moves') this.#waitWithin(this.dispatcher.progressing)
    return state
  }

  /** Ends the deadline. */
  stop(): void {
    this.#waitWithin(undefined)
  }

  get #bodyState(): BodyState {
    return this.#progress?.check(performance.now()) ?? 'moves'
  }

  get #answerState(): BodyState {
    return this.sentForMs >= this.dispatcher.options.upstreamTimeoutMs ? 'target' : 'moves'
  }

  #waitWithin(deadlines: Deadlines<Supervised> | undefined): void {
    if (this.#deadlines !== deadlines) this.#deadlines?.delete(this.timed)
    this.#deadlines = deadlines
    deadlines?.add(this.timed)
  }
}

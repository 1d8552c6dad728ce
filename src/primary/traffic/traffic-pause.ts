import type { EdgeOrder } from '#balancer/contract/edge-order.js'
import { ControlError, type PauseWanted, type Paused } from '../../control/protocol.js'
import type { Logger } from '../../process/log.js'
import type { Service } from '../../process/service.js'
import { carriedOut, type EdgeRunner } from './edge-runner.js'

interface Current {
  /** In milliseconds since 1970. */
  readonly since: number
  readonly until: number
  readonly timer: NodeJS.Timeout
  /** It is over, or another one has taken its place. */
  over(): void
  readonly isOver: Promise<'over'>
}

/** Whether requests wait, because a person said so, and until when. A pause always ends by itself. */
export class TrafficPause implements Service {
  #current: Current | undefined

  constructor(
    private readonly runner: EdgeRunner,
    private readonly log: Logger,
    /** In milliseconds since 1970. */
    private readonly wallClock: () => number = Date.now,
  ) {}

  get order(): EdgeOrder {
    return this.#current === undefined ? {} : { pausedUntil: this.#current.until }
  }

  /** Undefined while requests go on. */
  get facts(): Paused | undefined {
    if (this.#current === undefined) return undefined
    const { since, until } = this.#current
    return { since: new Date(since).toISOString(), until: new Date(until).toISOString() }
  }

  /**
   * Resolves when every process that balances lets requests wait. During a pause it changes the end.
   * @throws {ControlError} `STILL_IN_FLIGHT`: with `drain`, the pause is over, and requests are still in flight
   */
  async begin({ seconds, drain }: PauseWanted): Promise<Paused> {
    const now = this.wallClock()
    const since = this.#current?.since ?? now
    const until = now + seconds * 1_000
    this.#clear()
    const timer = setTimeout(() => this.#expire(), seconds * 1_000)
    let over = (): void => undefined
    const isOver = new Promise<'over'>(resolve => (over = () => resolve('over')))
    this.#current = { since, until, timer, over, isOver }
    this.log.info({ seconds }, `requests wait: traffic is paused for ${seconds} s at most`)
    await Promise.all([carriedOut(this.runner), drain ? this.#quiet() : undefined])
    return { since: new Date(since).toISOString(), until: new Date(until).toISOString() }
  }

  /** Resolves when every process that balances lets requests go on. @returns how long they waited, in milliseconds */
  async end(): Promise<number> {
    if (this.#current === undefined) return 0
    const pausedMs = this.wallClock() - this.#current.since
    this.#clear()
    this.log.info({ pausedMs }, `requests go on: traffic is resumed after ${Math.round(pausedMs / 1_000)} s`)
    await carriedOut(this.runner)
    return pausedMs
  }

  /** Requests that wait are answered before the instance stops. */
  stop(): Promise<void> {
    this.#clear()
    return Promise.resolve()
  }

  /** Resolves when nothing is in flight any more. A pause whose end is changed goes on. */
  async #quiet(): Promise<void> {
    for (let pause = this.#current; pause !== undefined; pause = this.#current) {
      const end = await Promise.race([this.runner.quiet(pause.until), pause.isOver])
      if (end !== 'over') return
    }
    throw new ControlError('STILL_IN_FLIGHT')
  }

  #expire(): void {
    if (this.#current === undefined) return
    const seconds = Math.round((this.wallClock() - this.#current.since) / 1_000)
    this.#clear()
    this.log.warn({ seconds }, `requests go on: the pause has ended by itself after ${seconds} s`)
    this.runner.edgeChanged()
  }

  #clear(): void {
    if (this.#current === undefined) return
    clearTimeout(this.#current.timer)
    this.#current.over()
    this.#current = undefined
  }
}

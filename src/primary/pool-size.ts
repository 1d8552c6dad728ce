import type { Config } from '../config/config.js'
import { coresAllowed } from '../resources/control-group.js'
import { Autoscaler, type ReportingChild } from './autoscaler.js'
import { Sleeper } from './sleeper.js'

export interface PoolSizeEvents {
  /** @param workers that are wanted while the instance is awake */
  onResize(workers: number): void
  /** @param workers that are wanted now @param reason one line */
  onDecision(workers: number, reason: string): void
}

type PoolConfig = Pick<Config, 'workers' | 'balancers' | 'maxInFlight' | 'scaleToZeroAfterS'>

/** Heartbeats come each second. One that is late by half of that may have something to tell. */
const SILENT_MS = 1_500

/** How many workers are wanted: as many as somebody has set, else as many as the load takes, and none while asleep. */
export class PoolSize {
  readonly #autoscaler: Autoscaler
  readonly #sleeper: Sleeper
  /** The number of workers after a wake. */
  readonly #least: number
  #whenAwake: number

  constructor(
    private readonly config: PoolConfig,
    private readonly events: PoolSizeEvents,
  ) {
    const { workers, balancers, scaleToZeroAfterS } = config
    this.#least = Math.max(1, workers.min)
    this.#whenAwake = this.#least
    const places = this.#placesWith(balancers)
    this.#autoscaler = new Autoscaler({ ...workers, min: this.#least, cores: coresAllowed(), places })
    const sleepsAfterMs = this.mayBeEmpty ? scaleToZeroAfterS * 1_000 : undefined
    this.#sleeper = new Sleeper(sleepsAfterMs, reason => {
      // A wake starts as few as there may be, not as many as ran when the last requests came.
      if (this.isAsleep) this.#resize(this.#least)
      this.events.onDecision(this.wanted, reason)
    })
  }

  /** How many workers are to run now. */
  get wanted(): number {
    return this.isAsleep ? 0 : this.#whenAwake
  }

  get whenAwake(): number {
    return this.#whenAwake
  }

  get isAsleep(): boolean {
    return this.#sleeper.isAsleep
  }

  /** Whether all workers may end. Their memory is lost with them. */
  get mayBeEmpty(): boolean {
    return this.config.workers.min === 0
  }

  /** Whether the instance sleeps, and what keeps it awake; undefined if workers always run. */
  get sleep(): Sleeper['facts'] {
    return this.#sleeper.facts
  }

  /** The load decides no longer. */
  fix(workers: number): void {
    this.#autoscaler.fix()
    this.#sleeper.fix()
    this.#resize(workers)
  }

  /** How many requests in flight each balancer allows a worker. */
  setBalancers(balancers: number): void {
    this.#autoscaler.setPlaces(this.#placesWith(balancers))
  }

  /** Something needs a worker now. */
  wake(why: string): void {
    this.#sleeper.wake(why)
  }

  /** Follows the load. To be called once a second. @param serving the processes that serve clients */
  followLoad(serving: readonly ReportingChild[], now: number): void {
    if (this.isAsleep) return
    const decided = this.#autoscaler.look(serving, this.#whenAwake, now)
    if (decided === undefined) return
    if (decided.workers !== this.#whenAwake) this.#resize(decided.workers)
    if (decided.reason !== undefined) this.events.onDecision(decided.workers, decided.reason)
  }

  /** Ends all workers if nothing needs one. To be called once a second. @param other what needs workers, in words */
  lookForSleep(children: readonly ReportingChild[], other: string | undefined, now: number): void {
    const silent = children.some(({ vitals, heardAt }) => vitals.rssBytes === 0 || now - heardAt > SILENT_MS)
    // Requests may have come that no heartbeat has reported yet. They do not wake the instance.
    const unknown = silent && !this.isAsleep ? 'a process has not reported its requests yet' : undefined
    this.#sleeper.look(children, other ?? unknown, now)
  }

  #resize(workers: number): void {
    this.#whenAwake = workers
    this.events.onResize(workers)
  }

  #placesWith(balancers: number): number {
    return this.config.maxInFlight * Math.max(1, balancers)
  }
}

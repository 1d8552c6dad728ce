import { Chance } from '../chance.js'
import { SimulatedWorker, type SimulatedRequest } from './simulated-worker.js'

/** Times in milliseconds. */
export interface PoolModel {
  readonly seed: number
  /** From the start of a worker until it serves, and by how much that differs at most. */
  readonly startMs: number
  readonly startSpreadMs: number
  /** The average time of a request on the event loop. Each is drawn from an exponential distribution. */
  readonly workMs: number
  readonly waitMs: number
  /** How many requests one worker may have in flight. Others wait in the balancer. */
  readonly places: number
}

/** 100 requests a second keep one worker busy. */
export const usualPool: PoolModel = {
  seed: 1,
  startMs: 800,
  startSpreadMs: 200,
  workMs: 10,
  waitMs: 20,
  places: 256,
}

/** The figures of one second. */
export interface Second {
  /** How long the requests took that were done in it. */
  readonly tookMs: readonly number[]
  /** Of the workers that serve. */
  readonly workers: ReadonlyArray<{ name: string; readyAt: number } & ReturnType<SimulatedWorker['measure']>>
  /** Processes, those that start or leave included. */
  readonly processes: number
}

/** Workers behind a balancer, simulated a second at a time. */
export class SimulatedPool {
  readonly #chance: Chance
  #workers: SimulatedWorker[] = []
  /** Requests for which no worker has a place. */
  #held: SimulatedRequest[] = []
  /** This many of these were given to workers. Taking each off a long list would cost more than all the rest. */
  #given = 0
  #now = 0
  #nextId = 1
  #turn = 0

  constructor(
    private readonly model: PoolModel,
    workers: number,
  ) {
    this.#chance = new Chance(model.seed)
    for (let started = 0; started < workers; started++) this.#start(0)
  }

  /** In milliseconds. */
  get now(): number {
    return this.#now
  }

  /** Starts workers, or lets the newest leave: they do what they have. */
  scaleTo(wanted: number): void {
    const staying = this.#workers.filter(({ isLeaving }) => !isLeaving)
    for (let count = staying.length; count < wanted; count++) {
      this.#start(this.#now + this.model.startMs + (this.#chance.next() * 2 - 1) * this.model.startSpreadMs)
    }
    for (const worker of staying.slice(wanted)) worker.isLeaving = true
    this.#forgetGone()
  }

  /** @param rate of the requests that come, on average */
  second(rate: number): Second {
    const end = this.#now + 1_000
    const tookMs: number[] = []
    const gap = (): number => (rate === 0 ? Infinity : (this.#exponential() * 1_000) / rate)
    let nextAt = this.#now + gap()
    for (;;) {
      const first = this.#workers.reduce<SimulatedWorker | undefined>((least, worker) => {
        return worker.doneAt < (least?.doneAt ?? Infinity) ? worker : least
      }, undefined)
      const at = Math.min(nextAt, first?.doneAt ?? Infinity)
      if (at >= end) break
      this.#now = at
      if (first !== undefined && first.doneAt === at) tookMs.push(first.finish())
      else {
        this.#held.push({ cameAt: at, workMs: this.#exponential() * this.model.workMs })
        nextAt = at + gap()
      }
      this.#dispatch()
    }
    this.#now = end
    this.#dispatch()
    this.#forgetGone()
    const serving = this.#serving()
    const workers = serving.map(worker => ({ name: worker.name, readyAt: worker.readyAt, ...worker.measure(end) }))
    return { tookMs, workers, processes: this.#workers.length }
  }

  /** In turn, to those that have a place. */
  #dispatch(): void {
    if (this.#given === this.#held.length) return
    const serving = this.#serving()
    for (let full = 0; full < serving.length && this.#given < this.#held.length;) {
      const worker = serving[this.#turn++ % serving.length] as SimulatedWorker
      if (worker.inFlight(this.#now) >= this.model.places) full += 1
      else {
        worker.take(this.#held[this.#given++] as SimulatedRequest, this.#now)
        full = 0
      }
    }
    if (this.#given === this.#held.length) [this.#held, this.#given] = [[], 0]
  }

  #serving(): SimulatedWorker[] {
    return this.#workers.filter(({ isLeaving, readyAt }) => !isLeaving && readyAt <= this.#now)
  }

  #start(readyAt: number): void {
    this.#workers.push(new SimulatedWorker(`worker ${this.#nextId++}`, readyAt, this.model.waitMs))
  }

  #forgetGone(): void {
    this.#workers = this.#workers.filter(worker => !worker.isLeaving || worker.inFlight(this.#now) > 0)
  }

  #exponential(): number {
    return -Math.log(1 - this.#chance.next())
  }
}

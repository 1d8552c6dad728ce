import type { Redis } from 'ioredis'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Logger } from '../process/log.js'
import { HeldLease, type LeaseLostError } from './held-lease.js'
import { untilReady } from './redis.js'

export interface LeaseOptions {
  /** How long the lease outlives its holder, in milliseconds: from 1,000 to 3,600,000, by default 15,000. */
  ttlMs?: number
  /** How long to wait while another holds it, in milliseconds; by default 0. */
  waitMs?: number
}

/** The arguments of the work under a lease. */
export interface Lease {
  /** Aborts when another may have the lease, with a `LeaseLostError`; and when this worker is to end. */
  readonly signal: AbortSignal
  /** Greater than that of every earlier holder, so a database can refuse late writes. */
  readonly fence: number
}

/** The work that was done under a lease. */
export interface Leased<T> {
  readonly value: T
  readonly fence: number
}

const MAX_LEASES = 100
const MAX_NAME = 200
const [MIN_TTL_MS, DEFAULT_TTL_MS, MAX_TTL_MS] = [1_000, 15_000, 3_600_000]
const CONNECT_MS = 2_000
const [FIRST_ASK_MS, ASK_EACH_MS] = [50, 200]

/** The leases of an app in one worker. */
export class Leases {
  readonly #held = new Set<HeldLease>()
  /** Each is over when its lease has been given back. */
  readonly #underWay = new Set<Promise<unknown>>()
  readonly #stopping = new AbortController()
  #asked = 0

  constructor(
    private readonly redis: Redis,
    private readonly log: Logger,
  ) {}

  /** The names of those that are held. */
  get names(): string[] {
    return [...this.#held].map(({ name }) => name.slice(PREFIX.length))
  }

  /**
   * Does a piece of work under a lease that one process at a time can have, over all workers and machines with this
   * Redis.
   * @returns what the work has returned; undefined when another holds the lease, and nothing was done
   * @throws {LeaseLostError} it was lost before the work was over, so another may have begun
   * @throws {TypeError | RangeError} the name or an option is unusable, or the worker has 100 leases already
   * @throws {Error} what the work has thrown; or Redis does not answer, and nothing was done
   */
  async lease<T>(
    name: string,
    work: (lease: Lease) => T | Promise<T>,
    { ttlMs = DEFAULT_TTL_MS, waitMs = 0 }: LeaseOptions = {},
  ): Promise<Leased<T> | undefined> {
    check(name, ttlMs, waitMs)
    if (this.#asked >= MAX_LEASES) throw new RangeError(`a worker may hold ${MAX_LEASES} leases at most`)
    this.#asked += 1
    const done = this.#takeAndDo(name, work, ttlMs, waitMs)
    this.#underWay.add(done)
    try {
      return await done
    } finally {
      this.#underWay.delete(done)
      this.#asked -= 1
    }
  }

  /** Tells the work under way to end, and waits until its leases are given back. No lease is given from now on. */
  async stop(): Promise<void> {
    this.#stopping.abort(new Error('the worker is stopping'))
    await Promise.allSettled(this.#underWay)
  }

  async #takeAndDo<T>(
    name: string,
    work: (lease: Lease) => T | Promise<T>,
    ttlMs: number,
    waitMs: number,
  ): Promise<Leased<T> | undefined> {
    const held = await this.#take(name, ttlMs, waitMs)
    if (held === undefined) return undefined
    try {
      // The end may have begun while Redis was asked.
      this.#stopping.signal.throwIfAborted()
      return await this.#doUnder(held, work)
    } finally {
      await held.giveBack()
    }
  }

  async #take(name: string, ttlMs: number, waitMs: number): Promise<HeldLease | undefined> {
    const { signal } = this.#stopping
    const until = performance.now() + waitMs
    // The first use of a lent service connects.
    await untilReady(this.redis, CONNECT_MS)
    for (;;) {
      signal.throwIfAborted()
      const held = await HeldLease.take(this.redis, PREFIX + name, ttlMs)
      const leftMs = until - performance.now()
      if (held !== undefined || leftMs <= 0) return held
      // Waiters ask at different times.
      await sleep(Math.min(leftMs, FIRST_ASK_MS + Math.random() * ASK_EACH_MS), undefined, { signal })
    }
  }

  async #doUnder<T>(held: HeldLease, work: (lease: Lease) => T | Promise<T>): Promise<Leased<T>> {
    const { lost, fence } = held
    const signal = AbortSignal.any([lost, this.#stopping.signal])
    lost.addEventListener('abort', () => {
      this.log.warn({ lease: held.name.slice(PREFIX.length) }, (lost.reason as LeaseLostError).message)
    })
    this.#held.add(held)
    try {
      const value = await work({ signal, fence })
      lost.throwIfAborted()
      return { value, fence }
    } catch (error) {
      throw lost.aborted ? lost.reason : error
    } finally {
      this.#held.delete(held)
    }
  }
}

/** Outpost's own leases have other names. */
const PREFIX = 'app:'

function check(name: unknown, ttlMs: number, waitMs: number): void {
  if (typeof name !== 'string' || name === '' || name.length > MAX_NAME) {
    throw new TypeError(`the name of a lease must be a text of 1 to ${MAX_NAME} characters`)
  }
  if (!(ttlMs >= MIN_TTL_MS && ttlMs <= MAX_TTL_MS)) {
    throw new RangeError(`ttlMs must be a number from ${MIN_TTL_MS} to ${MAX_TTL_MS}`)
  }
  if (!(waitMs >= 0 && waitMs <= MAX_TTL_MS)) throw new RangeError(`waitMs must be a number from 0 to ${MAX_TTL_MS}`)
}

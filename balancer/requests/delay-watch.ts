import { LITTLE } from '../contract/dynamic-threshold.js'
import type { ClientAccount } from '../ledger/client-account.js'
import { ClientLimit } from '../ledger/client-limit.js'
import type { SharedResource } from '../ledger/holding.js'
import { RecentClients } from '../ledger/recent-clients.js'
import type { InFlight } from '../targets/in-flight.js'
import type { Target } from '../targets/target.js'
import { delayOf, TargetDelay } from '../targets/target-delay.js'
import { BusyStreams } from './busy-streams.js'

const CHECK_MS = 20
/** A client that asked within this time is served beside the others. */
const BESIDE_MS = 10_000
/** A request that has been at its target this long waits for something other than the event loop, as a long poll does. */
const LONG_MS = 1_000
/** If the delay is still unknown after this long, no client is limited. */
const UNKNOWN_MS = 1_000

interface Pool {
  readonly used: readonly Target[]
  areDelayed: boolean
}

/**
 * Limits the requests of one client at the targets while these delay the requests of others. A client that is alone is
 * not limited. Works only while some client has more than a little in flight beside others.
 */
export class DelayWatch {
  /** A client is noted when it asks after another one, so one that is alone is not. */
  readonly recent = new RecentClients()
  readonly #limit = new ClientLimit()
  #last: string | undefined
  /** When two requests in a row last came from different clients. */
  #alternatedAt = -Infinity
  #begunAt = 0
  /** The requests that the client with more than a little had when the watch began. */
  #heldAtBegin = 0
  #neededAt = 0
  /** A client has asked for more than it may have since the last check. */
  #isReached = false
  #timer: NodeJS.Timeout | undefined
  #delays = new Map<Target, TargetDelay>()
  /** Since when each request is known to be at a target. */
  #since = new Map<InFlight, number>()
  readonly #streams = new BusyStreams()
  readonly #exempted = new Set<ClientAccount>()

  /** @param onMore called when clients may have more in flight than before */
  constructor(
    private readonly pool: Pool,
    private readonly places: SharedResource,
    private readonly onMore: () => void,
  ) {}

  /** A request of this client is to be sent to a target. */
  arrived({ client, places }: ClientAccount): void {
    if (client !== this.#last) this.#alternated(client)
    if (this.#timer !== undefined) {
      if (places.isAtMost) this.#isReached = true
      return
    }
    if (!this.places.isContended || places.held < LITTLE) return
    if (!this.#areSeveral) {
      this.places.isContended = false
      return
    }
    this.#heldAtBegin = places.held
    this.#begunAt = performance.now()
    this.#neededAt = this.#begunAt
    this.#check()
  }

  #alternated(client: string): void {
    const now = performance.now()
    this.recent.asked(client, now)
    if (this.#last !== undefined) {
      this.#alternatedAt = now
      this.places.isContended = true
    }
    this.#last = client
  }

  stop(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    this.#limit.end()
    this.#isReached = false
    this.#delays.clear()
    this.#since.clear()
    this.#streams.clear()
    this.#exempt(new Map())
    this.#setMost(Infinity)
  }

  #setMost(most: number): void {
    this.places.mostOfOne = most
    this.pool.areDelayed = most !== Infinity
  }

  get #areSeveral(): boolean {
    return performance.now() - this.#alternatedAt < BESIDE_MS
  }

  #check(): void {
    this.#timer = setTimeout(() => this.#check(), CHECK_MS).unref()
    const now = performance.now()
    const targets = this.pool.used
    const most = this.#countAt(targets, now)
    if (most > LITTLE || this.#isReached) this.#neededAt = now
    const before = this.places.mostOfOne
    this.#measure(targets, most)
    this.#isReached = false
    if (now - this.#neededAt >= LONG_MS || !this.#areSeveral) this.stop()
    else this.#setMost(this.#limit.value)
    if (before !== Infinity) this.onMore()
  }

  /** @returns the most that one client has there that may wait for the event loop, or keep it busy */
  #countAt(targets: readonly Target[], now: number): number {
    const since = new Map<InFlight, number>()
    const busy = new Map<ClientAccount, number>()
    /** Those that hold a place and are not busy, less those that are and hold none. */
    const exempt = new Map<ClientAccount, number>()
    const streams: InFlight[] = []
    for (const request of targets.flatMap(({ requests }) => requests)) {
      const { account, answering } = request
      if (account === undefined) continue
      if (answering) {
        streams.push(request)
        continue
      }
      const from = this.#since.get(request) ?? now
      since.set(request, from)
      count(now - from < LONG_MS ? busy : exempt, account, 1)
    }
    this.#since = since
    for (const account of this.#streams.busyOf(streams, now)) {
      count(busy, account, 1)
      count(exempt, account, -1)
    }
    this.#exempt(exempt)
    return Math.max(0, ...busy.values())
  }

  #exempt(clients: ReadonlyMap<ClientAccount, number>): void {
    for (const account of this.#exempted) account.places.exempt = 0
    this.#exempted.clear()
    for (const [account, count] of clients) {
      account.places.exempt = count
      this.#exempted.add(account)
    }
  }

  #measure(targets: readonly Target[], most: number): void {
    this.#delays = new Map(targets.map(target => [target, this.#delays.get(target) ?? new TargetDelay(target)]))
    const delay = delayOf([...this.#delays.values()].map(each => each.current).filter(each => each !== undefined))
    for (const each of this.#delays.values()) each.measure(most)
    if (delay === undefined) this.#beginUnknown(targets.length, most)
    else
      this.#limit.observe({
        delayMs: delay.ms,
        most: delay.beside,
        least: targets.length,
        isReached: this.#isReached,
      })
  }

  /** Targets that take no frames cannot be asked, and workers of older versions do not answer. */
  #beginUnknown(least: number, most: number): void {
    const areAsked = [...this.#delays.values()].some(({ isAsked }) => isAsked)
    if (areAsked && performance.now() - this.#begunAt < UNKNOWN_MS)
      this.#limit.begin(least, Math.max(this.#heldAtBegin, most))
    else this.#limit.end()
  }
}

function count(counts: Map<ClientAccount, number>, account: ClientAccount, change: number): void {
  counts.set(account, (counts.get(account) ?? 0) + change)
}

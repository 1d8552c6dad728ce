import type { BalancerOptions } from '../options.js'
import type { Target } from './target.js'
import type { TargetPool } from './target-pool.js'

type EjectionOptions = Pick<BalancerOptions, 'ejectAfter' | 'ejectMs' | 'ejectMaxMs'>

/** The failures of one target. */
interface FailureRecord {
  /** Failures since the last answer, or since the target became ready. */
  failuresInARow: number
  /** The clients of these, and when the first of them was. */
  readonly clients: Set<string>
  failingSince: number
  /** Ejections that still count, the last one included. They set the length of the next. */
  ejections: number
  /** When the last ejection ended, in the clock of `performance.now()`. */
  ejectionEndedAt: number
  /** Ends the current ejection. */
  timer: NodeJS.Timeout | undefined
}

/** A target that has answered nobody for this long is taken out for the failures of any client. */
const NOBODY_ANSWERED_MS = 10_000

/** The clients that have asked lately. */
interface Clients {
  count(now: number): number
}

/**
 * Passive health: takes a target out when real traffic fails again and again, for longer each time. While several clients
 * ask, the failures of one are not enough: an app may break a request that its client has made to be broken, and the
 * other clients would have half as many targets.
 */
export class OutlierDetection {
  /** Holds targets that have failed, so it is usually empty. */
  readonly #records = new Map<Target, FailureRecord>()

  constructor(
    private readonly pool: TargetPool,
    private readonly options: EjectionOptions,
    private readonly clients: Clients,
  ) {
    pool.on('changed', (target, from) => this.#targetChanged(target, from))
  }

  succeeded(target: Target): void {
    const record = this.#records.get(target)
    if (record !== undefined) beginAnew(record)
  }

  /** A gateway failure: a reset, or no answer in time. An answer of the app never counts, whatever its status. */
  failed(target: Target, client: string): void {
    // Failures count only in `ready`. A removed target must leave no record.
    if (target.state !== 'ready') return
    const now = performance.now()
    const record = this.#recordOf(target)
    if (record.failuresInARow === 0) record.failingSince = now
    record.failuresInARow += 1
    if (record.clients.size < this.options.ejectAfter) record.clients.add(client)
    if (!this.#isTooMany(record, now) || this.pool.ejectable < 1) return
    const quietMs = now - record.ejectionEndedAt
    record.ejections = ejectionsThatCount(record.ejections, quietMs, this.options) + 1
    target.eject()
    // The timer of an earlier ejection, which good probes have ended, would end this one too soon.
    clearTimeout(record.timer)
    record.timer = setTimeout(() => endEjection(target), ejectionMs(record.ejections, this.options)).unref()
  }

  #isTooMany({ failuresInARow, clients, failingSince }: FailureRecord, now: number): boolean {
    const { ejectAfter } = this.options
    if (failuresInARow < ejectAfter) return false
    return clients.size >= Math.min(ejectAfter, this.clients.count(now)) || now - failingSince >= NOBODY_ANSWERED_MS
  }

  stop(): void {
    for (const { timer } of this.#records.values()) clearTimeout(timer)
    this.#records.clear()
  }

  #recordOf(target: Target): FailureRecord {
    const known = this.#records.get(target)
    if (known !== undefined) return known
    const record: FailureRecord = {
      failuresInARow: 0,
      clients: new Set(),
      failingSince: 0,
      ejections: 0,
      ejectionEndedAt: 0,
      timer: undefined,
    }
    this.#records.set(target, record)
    return record
  }

  #targetChanged(target: Target, from: Target['state']): void {
    const record = this.#records.get(target)
    if (record === undefined) return
    if (from === 'ejected') record.ejectionEndedAt = performance.now()
    if (target.state === 'ready') beginAnew(record)
    if (target.state !== 'gone') return
    clearTimeout(record.timer)
    this.#records.delete(target)
  }
}

function beginAnew(record: FailureRecord): void {
  record.failuresInARow = 0
  record.clients.clear()
}

function endEjection(target: Target): void {
  if (target.state === 'ejected') target.markReady()
}

/**
 * One ejection is forgotten for every `ejectMs` without one. The count is capped where the ejection time reaches
 * `ejectMaxMs`, so a target always recovers.
 * @param quietMs time since the last ejection ended
 */
export function ejectionsThatCount(
  times: number,
  quietMs: number,
  { ejectMs, ejectMaxMs }: Omit<EjectionOptions, 'ejectAfter'>,
): number {
  return Math.max(0, Math.min(times, Math.ceil(ejectMaxMs / ejectMs)) - Math.floor(quietMs / ejectMs))
}

/** @param times the ejections that count, this one included */
export function ejectionMs(times: number, { ejectMs, ejectMaxMs }: Omit<EjectionOptions, 'ejectAfter'>): number {
  return Math.min(ejectMs * times, ejectMaxMs)
}

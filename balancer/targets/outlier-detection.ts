import type { BalancerOptions } from '../options.js'
import type { Target } from './target.js'
import type { TargetPool } from './target-pool.js'

type EjectionOptions = Pick<BalancerOptions, 'ejectAfter' | 'ejectMs' | 'ejectMaxMs'>

/** The failures of one target. */
interface FailureRecord {
  /** Failures since the last answer, or since the target became ready. */
  failuresInARow: number
  /** Ejections that still count, the last one included. They set the length of the next. */
  ejections: number
  /** When the last ejection ended, in the clock of `performance.now()`. */
  ejectionEndedAt: number
  /** Ends the current ejection. */
  timer: NodeJS.Timeout | undefined
}

/** Passive health: takes a target out when real traffic fails again and again, for longer each time. */
export class OutlierDetection {
  /** Holds targets that have failed, so it is usually empty. */
  readonly #records = new Map<Target, FailureRecord>()

  constructor(
    private readonly pool: TargetPool,
    private readonly options: EjectionOptions,
  ) {
    pool.on('changed', (target, from) => this.#targetChanged(target, from))
  }

  succeeded(target: Target): void {
    const record = this.#records.get(target)
    if (record !== undefined) record.failuresInARow = 0
  }

  /** A gateway failure: a reset, or no answer in time. An answer of the app never counts, whatever its status. */
  failed(target: Target): void {
    // Failures count only in `ready`. A removed target must leave no record.
    if (target.state !== 'ready') return
    const record = this.#recordOf(target)
    record.failuresInARow += 1
    if (record.failuresInARow < this.options.ejectAfter || this.pool.ejectable < 1) return
    const quietMs = performance.now() - record.ejectionEndedAt
    record.ejections = ejectionsThatCount(record.ejections, quietMs, this.options) + 1
    target.eject()
    // The timer of an earlier ejection, which good probes have ended, would end this one too soon.
    clearTimeout(record.timer)
    record.timer = setTimeout(() => endEjection(target), ejectionMs(record.ejections, this.options)).unref()
  }

  stop(): void {
    for (const { timer } of this.#records.values()) clearTimeout(timer)
    this.#records.clear()
  }

  #recordOf(target: Target): FailureRecord {
    const known = this.#records.get(target)
    if (known !== undefined) return known
    const record = { failuresInARow: 0, ejections: 0, ejectionEndedAt: 0, timer: undefined }
    this.#records.set(target, record)
    return record
  }

  #targetChanged(target: Target, from: Target['state']): void {
    const record = this.#records.get(target)
    if (record === undefined) return
    if (from === 'ejected') record.ejectionEndedAt = performance.now()
    if (target.state === 'ready') record.failuresInARow = 0
    if (target.state !== 'gone') return
    clearTimeout(record.timer)
    this.#records.delete(target)
  }
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

import type { BalancerOptions } from '../options.js'
import type { Target } from './target.js'
import type { TargetPool } from './target-pool.js'

/** Passive health: real traffic that fails again and again takes a target out for a while, longer each time. */
export class OutlierDetection {
  readonly #returns = new Map<Target, NodeJS.Timeout>()

  constructor(
    private readonly pool: TargetPool,
    private readonly options: Pick<BalancerOptions, 'ejectAfter' | 'ejectMs' | 'ejectMaxMs'>,
  ) {}

  succeeded(target: Target): void {
    target.failuresInARow = 0
  }

  /** A gateway failure: reset, no answer in time. What the app answers, 500 or 503, is its own affair. */
  failed(target: Target): void {
    target.failuresInARow += 1
    if (target.failuresInARow < this.options.ejectAfter || target.state !== 'ready') return
    if (this.pool.ejectable < 1) return
    target.ejections = ejectionsThatCount(target.ejections, performance.now() - target.ejectionEndedAt, this.options)
    target.eject()
    // Of an earlier ejection that the probes have ended: it would cut this one short.
    clearTimeout(this.#returns.get(target))
    this.#returns.set(
      target,
      setTimeout(() => this.#return(target), ejectionMs(target.ejections, this.options)).unref(),
    )
  }

  stop(): void {
    for (const timer of this.#returns.values()) clearTimeout(timer)
    this.#returns.clear()
  }

  #return(target: Target): void {
    this.#returns.delete(target)
    if (target.state === 'ejected') target.markReady()
  }
}

/**
 * An ejection is forgotten for every `ejectMs` without one, and none counts beyond the longest time, so that no target
 * takes for ever to be forgiven.
 * @param quietMs since the end of the last one
 */
export function ejectionsThatCount(
  times: number,
  quietMs: number,
  { ejectMs, ejectMaxMs }: Pick<BalancerOptions, 'ejectMs' | 'ejectMaxMs'>,
): number {
  return Math.max(0, Math.min(times, Math.ceil(ejectMaxMs / ejectMs)) - Math.floor(quietMs / ejectMs))
}

/** @param times how many ejections of the target count, this one included */
export function ejectionMs(times: number, options: Pick<BalancerOptions, 'ejectMs' | 'ejectMaxMs'>): number {
  return Math.min(options.ejectMs * times, options.ejectMaxMs)
}

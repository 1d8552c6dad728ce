import type { BalancerOptions } from './options.js'
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

/** @param times how often the target has been ejected, this time included */
export function ejectionMs(times: number, options: Pick<BalancerOptions, 'ejectMs' | 'ejectMaxMs'>): number {
  return Math.min(options.ejectMs * times, options.ejectMaxMs)
}

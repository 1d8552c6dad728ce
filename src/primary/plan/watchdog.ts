import type { Child } from '../processes/child.js'
import type { Slot } from './slot.js'

export interface WatchdogOptions {
  /** A child that is not ready so long after its start is given up, and so is a replacement nobody finds healthy. */
  startTimeoutMs: number
  /** One that has not been heard of for so long hangs. */
  hangTimeoutMs: number
  /** A look that comes so late was not late by chance: this process itself was stopped, or the machine asleep. */
  oversleptMs: number
}

export const defaultWatchdogOptions: WatchdogOptions = {
  startTimeoutMs: 30_000,
  hangTimeoutMs: 10_000,
  oversleptMs: 3_000,
}

/** As much of the children as it looks at. */
export type Watched = Pick<Child, 'state' | 'startedAt' | 'heardAt' | 'excuse'>

/** Finds the children that will not come to anything by themselves. */
export class Watchdog {
  #lookedAt = performance.now()

  constructor(private readonly options: WatchdogOptions = defaultWatchdogOptions) {}

  /**
   * To be called before each look, which is to come more often than `oversleptMs`. After a pause of this process nobody
   * can have been heard of: their time begins anew.
   */
  wake(children: readonly Watched[]): void {
    const now = performance.now()
    if (now - this.#lookedAt >= this.options.oversleptMs) for (const child of children) child.excuse()
    this.#lookedAt = now
  }

  /** Why this child is to be killed, or undefined when it is not. */
  hangs(child: Watched): string | undefined {
    const { startTimeoutMs, hangTimeoutMs } = this.options
    const now = performance.now()
    // It may well be silent while it loads an app.
    if (child.state === 'starting') {
      return now - child.startedAt >= startTimeoutMs ? `not ready within ${seconds(startTimeoutMs)}` : undefined
    }
    // One that is stopping has a deadline already.
    if (child.state === 'stopping' || now - child.heardAt < hangTimeoutMs) return undefined
    return `not heard of for ${seconds(hangTimeoutMs)}`
  }

  /** Why the replacement in this place is to be killed although it is ready. */
  unused({ replacement }: Slot, takesTraffic: (child: Child) => boolean): string | undefined {
    const { startTimeoutMs } = this.options
    if (replacement?.state !== 'ready' || performance.now() - replacement.startedAt < startTimeoutMs) return undefined
    return takesTraffic(replacement) ? undefined : `not healthy within ${seconds(startTimeoutMs)}`
  }
}

function seconds(ms: number): string {
  return `${ms / 1_000} s`
}

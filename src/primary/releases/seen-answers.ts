import type { ReleaseFigures } from '#balancer/contract/latency-buckets.js'
import type { BakeFacts, SideFigures } from '../plan/bake-verdict.js'
import { LatencyWindows, type Work } from '../plan/latency-windows.js'

type Side = 'before' | 'fresh'
type Counts = Pick<SideFigures, 'requests' | 'failed' | 'broken'>
type Memory = Pick<SideFigures, 'growthBytes' | 'memoryBytes'>

/** The answers to some of the clients, of both releases of a bake. */
export class SeenAnswers {
  readonly #counts = { before: newCounts(), fresh: newCounts() }
  readonly #latencies = new LatencyWindows()

  beginStage(ms: number, now: number): void {
    this.#latencies.beginStage(ms, now)
  }

  /** @param workers of the new release */
  add(side: Side, { answered, failed, broken, latencies }: ReleaseFigures, workers: number, now: number): void {
    const counts = this.#counts[side]
    counts.requests += answered + broken
    counts.failed += failed
    counts.broken += broken
    this.#latencies.add(side, latencies, workers, now)
  }

  /** To be called once all of a report has been added. */
  close(work: Record<Side, Work>, now: number): void {
    this.#latencies.close(work, now)
  }

  /** @param memory of the workers, which is the same for all clients */
  factsWith(memory: Record<Side, Memory>): BakeFacts {
    const { all, last, haveCompared } = this.#latencies
    return {
      before: { ...this.#counts.before, latencies: all.before, ...memory.before },
      fresh: { ...this.#counts.fresh, latencies: all.fresh, ...memory.fresh },
      windows: last,
      haveCompared,
    }
  }
}

function newCounts(): { -readonly [Name in keyof Counts]: Counts[Name] } {
  return { requests: 0, failed: 0, broken: 0 }
}

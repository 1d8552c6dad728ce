import type { ReleaseFigures } from '#balancer/contract/latency-buckets.js'
import type { SideFigures } from '../plan/bake-verdict.js'
import type { ObservedChild } from '../plan/observed.js'

/** Workers that have just begun are slow, so the latencies of the first seconds of a stage are not compared. */
const WARM_UP_MS = 2_000
/** A short stage is not left out altogether. */
const WARM_UP_SHARE = 0.2

interface Side {
  requests: number
  failed: number
  broken: number
  readonly latencies: Map<number, number>
}

/** The figures of both releases of a bake in the same seconds, from the reports of the balancers and the heartbeats. */
export class BakeFigures {
  readonly #sides = { from: newSide(), to: newSide() }
  /** Resident memory of each worker when it was first seen with traffic, and now. */
  readonly #memory = new Map<string, { release: string; first: number; now: number }>()
  #warmAt = 0

  constructor(
    private readonly from: string,
    private readonly to: string,
  ) {}

  beginStage(ms: number, now: number): void {
    this.#warmAt = now + Math.min(WARM_UP_MS, ms * WARM_UP_SHARE)
  }

  /** @param figures as a balancer reports them: the release before has no name there */
  add(figures: readonly ReleaseFigures[], now: number): void {
    for (const { release, answered, failed, broken, latencies } of figures) {
      if (release !== '' && release !== this.to) continue
      const side = release === '' ? this.#sides.from : this.#sides.to
      side.requests += answered + broken
      side.failed += failed
      side.broken += broken
      if (now < this.#warmAt) continue
      for (const [bucket, count] of latencies) side.latencies.set(bucket, (side.latencies.get(bucket) ?? 0) + count)
    }
  }

  observe(children: readonly ObservedChild[], now: number): void {
    if (now < this.#warmAt) return
    for (const { name, role, release, rssBytes, leaving } of children) {
      if (role !== 'worker' || leaving || rssBytes === 0) continue
      const first = this.#memory.get(name)?.first ?? rssBytes
      this.#memory.set(name, { release, first, now: rssBytes })
    }
  }

  get before(): SideFigures {
    return { ...this.#sides.from, ...this.#memoryOf(this.from) }
  }

  get fresh(): SideFigures {
    return { ...this.#sides.to, ...this.#memoryOf(this.to) }
  }

  #memoryOf(release: string): Pick<SideFigures, 'growthBytes' | 'memoryBytes'> {
    const own = [...this.#memory.values()].filter(worker => worker.release === release)
    const mean = (of: (worker: { first: number; now: number }) => number): number =>
      own.reduce((sum, worker) => sum + of(worker), 0) / Math.max(1, own.length)
    return { growthBytes: mean(({ first, now }) => now - first), memoryBytes: mean(({ first }) => first) }
  }
}

function newSide(): Side {
  return { requests: 0, failed: 0, broken: 0, latencies: new Map() }
}

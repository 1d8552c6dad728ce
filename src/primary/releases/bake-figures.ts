import type { ReleaseFigures } from '#balancer/contract/latency-buckets.js'
import type { BakeFacts, SideFigures } from '../plan/bake-verdict.js'
import { LatencyWindows } from '../plan/latency-windows.js'
import type { ObservedChild } from '../plan/observed.js'

/** The first answers of a worker load what it keeps, so its memory is followed a little later. */
const GROWN_MS = 2_000
const GROWN_SHARE = 0.2

type Side = Pick<SideFigures, 'requests' | 'failed' | 'broken'>

/** The figures of both releases of a bake in the same seconds, from the reports of the balancers and the heartbeats. */
export class BakeFigures {
  readonly #sides = { before: newSide(), fresh: newSide() }
  readonly #latencies = new LatencyWindows()
  /** Resident memory of each worker when it was first seen with traffic, and now. */
  readonly #memory = new Map<string, { release: string; first: number; now: number }>()
  #memoryFrom = 0
  #freshWorkers = 1

  constructor(
    private readonly from: string,
    private readonly to: string,
  ) {}

  beginStage(ms: number, now: number): void {
    this.#memoryFrom = now + Math.min(GROWN_MS, ms * GROWN_SHARE)
    this.#latencies.beginStage(ms, now)
  }

  /** @param figures as a balancer reports them: the release before has no name there */
  add(figures: readonly ReleaseFigures[], now: number): void {
    for (const { release, answered, failed, broken, latencies } of figures) {
      if (release !== '' && release !== this.to) continue
      const name = release === '' ? 'before' : 'fresh'
      const side = this.#sides[name]
      side.requests += answered + broken
      side.failed += failed
      side.broken += broken
      this.#latencies.add(name, latencies, this.#freshWorkers, now)
    }
    this.#latencies.close(now)
  }

  observe(children: readonly ObservedChild[], now: number): void {
    const workers = children.filter(({ role, leaving }) => role === 'worker' && !leaving)
    this.#freshWorkers = workers.filter(({ release, state }) => release === this.to && state === 'ready').length
    if (now < this.#memoryFrom) return
    for (const { name, release, rssBytes } of workers) {
      if (rssBytes === 0) continue
      const first = this.#memory.get(name)?.first ?? rssBytes
      this.#memory.set(name, { release, first, now: rssBytes })
    }
  }

  get facts(): BakeFacts {
    const { all, last, haveCompared } = this.#latencies
    return {
      before: { ...this.#sides.before, latencies: all.before, ...this.#memoryOf(this.from) },
      fresh: { ...this.#sides.fresh, latencies: all.fresh, ...this.#memoryOf(this.to) },
      windows: last,
      haveCompared,
    }
  }

  #memoryOf(release: string): Pick<SideFigures, 'growthBytes' | 'memoryBytes'> {
    const own = [...this.#memory.values()].filter(worker => worker.release === release)
    const mean = (of: (worker: { first: number; now: number }) => number): number =>
      own.reduce((sum, worker) => sum + of(worker), 0) / Math.max(1, own.length)
    return { growthBytes: mean(({ first, now }) => now - first), memoryBytes: mean(({ first }) => first) }
  }
}

function newSide(): { -readonly [Name in keyof Side]: Side[Name] } {
  return { requests: 0, failed: 0, broken: 0 }
}

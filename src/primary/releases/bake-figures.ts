import type { ReleaseFigures } from '#balancer/contract/latency-buckets.js'
import type { BakeFacts, SideFigures } from '../plan/bake-verdict.js'
import { LatencyWindows, type Work } from '../plan/latency-windows.js'
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
  #work = { before: workOf([]), fresh: workOf([]) }

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
    this.#latencies.close(this.#work, now)
  }

  observe(children: readonly ObservedChild[], now: number): void {
    const workers = children.filter(({ role, leaving }) => role === 'worker' && !leaving)
    const readyOf = (id: string): ObservedChild[] =>
      workers.filter(({ release, state }) => release === id && state === 'ready')
    this.#freshWorkers = readyOf(this.to).length
    this.#work = { before: workOf(readyOf(this.from)), fresh: workOf(readyOf(this.to)) }
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

/** With fewer requests a second, a share of CPU time says little. */
const TOLD_FROM_RATE = 10

function workOf(workers: readonly ObservedChild[]): Work {
  const sum = (of: (lastSecond: ObservedChild['lastSecond']) => number): number =>
    workers.reduce((all, { lastSecond }) => all + of(lastSecond), 0)
  const rate = sum(({ requestsPerSecond }) => requestsPerSecond)
  return {
    cpuMs: rate < TOLD_FROM_RATE ? 0 : (sum(({ cpuUse }) => cpuUse) * 1_000) / rate,
    loopUse: sum(({ loopUse }) => loopUse) / Math.max(1, workers.length),
  }
}

import { CLIENT_GROUPS } from '#balancer/contract/client-groups.js'
import type { ReleaseFigures } from '#balancer/contract/latency-buckets.js'
import type { BakeFacts, SideFigures } from '../plan/bake-verdict.js'
import type { Work } from '../plan/latency-windows.js'
import type { ObservedChild } from '../plan/observed.js'
import { SeenAnswers } from './seen-answers.js'

/** The first answers of a worker load what it keeps, so its memory is followed a little later. */
const GROWN_MS = 2_000
const GROWN_SHARE = 0.2

/** The figures of both releases of a bake in the same seconds, from the reports of the balancers and the heartbeats. */
export class BakeFigures {
  readonly #all = new SeenAnswers()
  /** Without those of one group of clients each. */
  readonly #without = Array.from({ length: CLIENT_GROUPS }, () => new SeenAnswers())
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
    for (const seen of this.#views) seen.beginStage(ms, now)
  }

  /** @param figures as a balancer reports them: the previous release has no name there */
  add(figures: readonly ReleaseFigures[], now: number): void {
    for (const each of figures) {
      const { release, clients } = each
      if (release !== '' && release !== this.to) continue
      const side = release === '' ? 'before' : 'fresh'
      this.#all.add(side, each, this.#freshWorkers, now)
      this.#without.forEach((seen, group) => group !== clients && seen.add(side, each, this.#freshWorkers, now))
    }
    for (const seen of this.#views) seen.close(this.#work, now)
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
    return this.#all.factsWith(this.#memoryOfBoth)
  }

  /** The same without each group of clients in turn. */
  get without(): readonly BakeFacts[] {
    const memory = this.#memoryOfBoth
    return this.#without.map(seen => seen.factsWith(memory))
  }

  get #views(): readonly SeenAnswers[] {
    return [this.#all, ...this.#without]
  }

  get #memoryOfBoth(): Record<'before' | 'fresh', Pick<SideFigures, 'growthBytes' | 'memoryBytes'>> {
    return { before: this.#memoryOf(this.from), fresh: this.#memoryOf(this.to) }
  }

  #memoryOf(release: string): Pick<SideFigures, 'growthBytes' | 'memoryBytes'> {
    const own = [...this.#memory.values()].filter(worker => worker.release === release)
    const mean = (of: (worker: { first: number; now: number }) => number): number =>
      own.reduce((sum, worker) => sum + of(worker), 0) / Math.max(1, own.length)
    return { growthBytes: mean(({ first, now }) => now - first), memoryBytes: mean(({ first }) => first) }
  }
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

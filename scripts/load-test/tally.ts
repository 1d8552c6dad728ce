/** The outcome of one request. */
export type Outcome =
  /** The answer is correct. */
  | 'good'
  /** The request was refused with 503 and Retry-After because the machine is full. That breaks no promise. */
  | 'shed'
  /** The request failed in a way that the promise allows for this fault. */
  | 'allowed'
  | 'lost'

export interface Sample {
  kind: string
  outcome: Outcome
  /** Milliseconds from the request to the end of its answer. */
  latencyMs: number
  worker?: string | undefined
  /** The reason why it is not good. */
  reason?: string
}

export interface Figures {
  requests: number
  seconds: number
  perSecond: number
  outcomes: Record<Outcome, number>
  byKind: Record<string, Record<Outcome, number>>
  byWorker: Record<string, number>
  /** Latencies of good answers, in milliseconds. */
  latency: { p50: number; p99: number; p999: number; max: number }
  reasons: Record<string, number>
  /** How often each requested fault was caused. */
  faults: Record<string, number>
}

const MAX_REASONS = 20

/** Counts every answer. */
export class Tally {
  readonly #latencies: number[] = []
  readonly #byKind = new Map<string, Record<Outcome, number>>()
  readonly #byWorker = new Map<string, number>()
  readonly #reasons = new Map<string, number>()
  readonly #faults = new Map<string, number>()
  readonly #startedAt = performance.now()

  /** @param faults the requested ones: each is counted from 0 */
  constructor(faults: readonly string[]) {
    for (const fault of faults) this.#faults.set(fault, 0)
  }

  faultDone(fault: string): void {
    this.#faults.set(fault, (this.#faults.get(fault) ?? 0) + 1)
  }

  get requests(): number {
    return [...this.#byKind.values()].flatMap(counts => Object.values(counts)).reduce((sum, count) => sum + count, 0)
  }

  add({ kind, outcome, latencyMs, worker, reason }: Sample): void {
    const counts = this.#byKind.get(kind) ?? { good: 0, shed: 0, allowed: 0, lost: 0 }
    counts[outcome] += 1
    this.#byKind.set(kind, counts)
    if (worker !== undefined) this.#byWorker.set(worker, (this.#byWorker.get(worker) ?? 0) + 1)
    if (outcome === 'good') this.#latencies.push(latencyMs)
    else if (reason !== undefined) {
      const key = `${kind}: ${reason}`
      if (this.#reasons.has(key) || this.#reasons.size < MAX_REASONS)
        this.#reasons.set(key, (this.#reasons.get(key) ?? 0) + 1)
    }
  }

  figures(): Figures {
    const seconds = (performance.now() - this.#startedAt) / 1_000
    const sorted = Float64Array.from(this.#latencies).sort()
    const at = (share: number): number =>
      round(sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0)
    const outcomes = { good: 0, shed: 0, allowed: 0, lost: 0 }
    for (const counts of this.#byKind.values()) {
      for (const outcome of Object.keys(outcomes) as Outcome[]) outcomes[outcome] += counts[outcome]
    }
    return {
      requests: this.requests,
      seconds: round(seconds),
      perSecond: Math.round(this.requests / seconds),
      outcomes,
      byKind: Object.fromEntries(this.#byKind),
      byWorker: Object.fromEntries([...this.#byWorker].sort(([a], [b]) => a.localeCompare(b, 'en', { numeric: true }))),
      latency: { p50: at(0.5), p99: at(0.99), p999: at(0.999), max: at(1) },
      reasons: Object.fromEntries(this.#reasons),
      faults: Object.fromEntries(this.#faults),
    }
  }
}

function round(value: number): number {
  return Math.round(value * 100) / 100
}

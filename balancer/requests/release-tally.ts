import { clientGroup } from '../contract/client-groups.js'
import { bucketOf, type ReleaseFigures } from '../contract/latency-buckets.js'
import type { TargetPool } from '../targets/target-pool.js'

/** Receives the figures of what clients got. */
export type OnFigures = (figures: ReleaseFigures[]) => void

type Served = { readonly id: string } | undefined
type Client = { readonly client: string }

const TELL_MS = 500

/** Counts what the clients of each release get, while one is being tried. */
export class ReleaseTally {
  /** By release and group of clients. */
  readonly #figures = new Map<string, ReleaseFigures & { byBucket: Map<number, number> }>()
  #timer: NodeJS.Timeout | undefined

  constructor(
    private readonly pool: Pick<TargetPool, 'releases' | 'isLocal'>,
    private readonly onFigures: OnFigures,
  ) {}

  /** When a request is sent: the time by which its answer is measured, or 0 if it is not. */
  begin(): number {
    return this.pool.releases.onTrial ? performance.now() : 0
  }

  /** An answer has begun. @param sentAt as `begin` told it, or later */
  answered(target: Served, { client }: Client, status: number, sentAt: number): void {
    if (sentAt === 0 || target === undefined) return
    const figures = this.#of(target.id, client)
    figures.answered += 1
    if (status >= 500) figures.failed += 1
    // The app in this process answers within a call. No other release does.
    if (this.pool.isLocal(target)) return
    const bucket = bucketOf(performance.now() - sentAt)
    figures.byBucket.set(bucket, (figures.byBucket.get(bucket) ?? 0) + 1)
  }

  /** There will be no whole answer. */
  broke(target: Served, { client }: Client): void {
    if (this.pool.releases.onTrial && target !== undefined) this.#of(target.id, client).broken += 1
  }

  /** Reports the figures from time to time while there is a trial, and once at its end. */
  follow(): void {
    if (this.pool.releases.onTrial) this.#timer ??= setInterval(() => this.#tell(), TELL_MS).unref()
    else this.stop()
  }

  stop(): void {
    if (this.#timer === undefined) return
    clearInterval(this.#timer)
    this.#timer = undefined
    this.#tell()
  }

  #tell(): void {
    const all = [...this.#figures.values()].map(({ byBucket, ...figures }) => ({
      ...figures,
      latencies: [...byBucket],
    }))
    this.#figures.clear()
    if (all.length > 0) this.onFigures(all)
  }

  #of(targetId: string, client: string): ReleaseFigures & { byBucket: Map<number, number> } {
    const release = this.pool.releases.ofTarget(targetId)
    const clients = clientGroup(client)
    const key = `${clients} ${release}`
    const known = this.#figures.get(key)
    if (known !== undefined) return known
    const counts = { answered: 0, failed: 0, broken: 0 }
    const figures = { release, clients, ...counts, latencies: [], byBucket: new Map<number, number>() }
    this.#figures.set(key, figures)
    return figures
  }
}

/** How many answers took so long, by bucket. */
export type Latencies = ReadonlyMap<number, number>

/** The work of the workers of a release in the last second of a window. */
export interface Work {
  /** CPU time for a request, in milliseconds; 0 if that is not known. */
  readonly cpuMs: number
  /** The share of the time in which their event loops were busy. */
  readonly loopUse: number
}

/** The answers of both releases in the same seconds. */
export interface LatencyWindow {
  readonly before: Latencies
  readonly fresh: Latencies
  readonly work: { readonly before: Work; readonly fresh: Work }
}

/** When answers of a trial can be compared. Times in milliseconds. */
export const warmth = {
  /**
   * New workers are cold: nothing is compiled, cached or connected. So the first part of a stage does not count: this share of
   * it, within these bounds …
   */
  ms: 2_000,
  share: 0.2,
  longestMs: 30_000,
  /** … nor do answers before each new worker has given this many, on average. */
  answersAWorker: 50,
  /** A window has at least this length, and this many answers of either release. */
  windowMs: 1_500,
  windowAnswers: 25,
  /** This many windows, one after the other, have to agree … */
  windows: 3,
  /** … and at most this many are judged together. */
  windowsKept: 8,
} as const

/** The shortest length of a stage whose latencies can be compared. */
export const COMPARED_FROM_MS = warmth.ms + warmth.windows * warmth.windowMs

type Mutable = Map<number, number>

/** Cuts a stage of a trial into windows, from the time on when the new release is warm. Pure but for its own state. */
export class LatencyWindows {
  /** Since the release was warm for the first time, over all stages. */
  readonly #all = { before: new Map<number, number>(), fresh: new Map<number, number>() }
  readonly all: Pick<LatencyWindow, 'before' | 'fresh'> = this.#all
  #whole: LatencyWindow[] = []
  #open = { since: 0, before: new Map<number, number>(), fresh: new Map<number, number>() }
  #stage = { warmAt: 0, freshAnswers: 0, isWarm: false }
  /** Whether any stage was long enough, with enough answers. */
  #haveCompared = false

  /** @param ms its length */
  beginStage(ms: number, now: number): void {
    this.#stage = { warmAt: now + warmUpOf(ms), freshAnswers: 0, isWarm: false }
    this.#whole = []
  }

  /** @param workers of the new release */
  add(
    side: 'before' | 'fresh',
    latencies: ReadonlyArray<readonly [number, number]>,
    workers: number,
    now: number,
  ): void {
    const stage = this.#stage
    if (!stage.isWarm) {
      if (side === 'fresh') stage.freshAnswers += latencies.reduce((sum, [, count]) => sum + count, 0)
      stage.isWarm = now >= stage.warmAt && stage.freshAnswers >= warmth.answersAWorker * Math.max(1, workers)
      this.#begin(now)
      return
    }
    addTo(this.#all[side], latencies)
    addTo(this.#open[side], latencies)
  }

  /** To be called once all of a report has been added. */
  close(work: LatencyWindow['work'], now: number): void {
    const { since, before, fresh } = this.#open
    if (!this.#stage.isWarm || now - since < warmth.windowMs) return
    if (Math.min(answersIn(before), answersIn(fresh)) < warmth.windowAnswers) return
    this.#whole = [...this.#whole, { before, fresh, work }].slice(-warmth.windowsKept)
    this.#haveCompared ||= this.#whole.length >= warmth.windows
    this.#begin(now)
  }

  /** The last whole windows of this stage, the oldest first. */
  get last(): readonly LatencyWindow[] {
    return this.#whole
  }

  get haveCompared(): boolean {
    return this.#haveCompared
  }

  #begin(now: number): void {
    this.#open = { since: now, before: new Map(), fresh: new Map() }
  }
}

/** How long after the beginning of a stage of this length new workers count as cold, whatever they have answered. */
function warmUpOf(ms: number): number {
  return Math.min(warmth.longestMs, Math.max(warmth.ms, ms * warmth.share))
}

export function answersIn(latencies: Latencies): number {
  let all = 0
  for (const count of latencies.values()) all += count
  return all
}

function addTo(sum: Mutable, latencies: ReadonlyArray<readonly [number, number]>): void {
  for (const [bucket, count] of latencies) sum.set(bucket, (sum.get(bucket) ?? 0) + count)
}

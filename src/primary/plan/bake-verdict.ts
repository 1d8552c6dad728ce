import { boundOf } from '#balancer/contract/latency-buckets.js'
import { chanceOfAtLeast } from './binomial.js'
import { answersIn, COMPARED_FROM_MS, warmth, type Latencies, type LatencyWindow } from './latency-windows.js'

/** The figures of one release in the seconds of a bake. */
export interface SideFigures {
  /** Answers, and tries that broke off. */
  readonly requests: number
  /** Answers with a status from 500. */
  readonly failed: number
  readonly broken: number
  /** The number of answers by the time until they began. Those of the first seconds, when nothing is warm, are left out. */
  readonly latencies: Latencies
  /** How much the resident memory of a worker has grown on average, and what it was, in bytes. */
  readonly growthBytes: number
  readonly memoryBytes: number
}

/** The facts that are compared. */
export interface BakeFacts {
  readonly before: SideFigures
  readonly fresh: SideFigures
  /** The last ones of this stage, the oldest first. */
  readonly windows: readonly LatencyWindow[]
  /** Whether a stage has had as many. */
  readonly haveCompared: boolean
}

/**
 * - `worse`: the new release is worse by more than the tolerances, and not by chance
 * - `one-client`: one client alone has found it worse, and the others have not
 * - `too-little`: there were too few requests, or seconds, to compare all
 * - `as-good`
 */
export type Verdict =
  { readonly kind: 'worse' | 'one-client' | 'too-little'; readonly reason: string } | { readonly kind: 'as-good' }

/** The answers to others than one client. */
export interface Others {
  /** The same facts without the answers of each group of clients in turn. */
  readonly without: readonly BakeFacts[]
  /** They may see more: the stage is not over yet. */
  readonly mayWait: boolean
}

/** The tolerances. */
const tolerances = {
  /** A release may fail this much more often than the previous one: a share of its requests. */
  errors: 0.005,
  /** Its slow answers may take this many times as long as the previous release's p99, and longer by this. */
  slower: 1.5,
  slowerMs: 5,
  /** The share of its answers that may be slower than that. By definition the previous release has half of it. */
  slow: 0.02,
  /** Half of its answers may take this many times as long as half of the other's, and longer by `slowerMs`. */
  usual: 2,
  /**
   * A release is still warming up, and is not judged yet, if its median over that of the other has fallen to this share within
   * the compared windows.
   */
  warming: 0.8,
  /**
   * If its workers are busy for much of the time, an answer mostly waits for earlier ones, whose number differs between the
   * releases. So in this case a request may not cost this many times as much CPU time, and this much more.
   */
  work: 1.75,
  workMs: 1,
  busy: 0.5,
  /** A worker may grow by this many bytes more, or by as much as it had, if that is more. */
  growthBytes: 256 * 1024 ** 2,
  /** A finding counts only if a release as good as the previous one would show it in less than this share of checks. */
  chance: 1 / 1_000,
  /** With fewer requests on either side, only health is judged. */
  requests: 100,
} as const

/** One way to be worse. */
interface BakeFault {
  /** The reason, if it is. */
  readonly find: (facts: BakeFacts) => string | undefined
  /** Whether the new release still gets better, so that it is not judged yet. */
  readonly isEarly?: (facts: BakeFacts) => boolean
  /** Whether there was enough to find it in. Undefined if it is one of workers, and cannot be told of single clients. */
  readonly couldFind?: (facts: BakeFacts) => boolean
}

const couldCompare = ({ fresh, windows }: BakeFacts): boolean =>
  fresh.requests >= tolerances.requests && windows.length >= warmth.windows

const faults: readonly BakeFault[] = [
  { find: moreErrors, couldFind: ({ fresh }) => fresh.requests >= tolerances.requests },
  { find: slowerAnswers, couldFind: couldCompare, isEarly: isGettingWarm },
  { find: slowerThanUsual, couldFind: couldCompare, isEarly: isGettingWarm },
  { find: moreWork },
  { find: moreMemory },
]

/** Compares the new release with the previous one, in the same seconds. Pure. */
export function judge(facts: BakeFacts, others: Others = { without: [], mayWait: false }): Verdict {
  const { before, fresh, haveCompared } = facts
  let ofOne: string | undefined
  for (const fault of faults) {
    const reason = fault.isEarly?.(facts) === true ? undefined : fault.find(facts)
    if (reason !== undefined && isSeenByOthers(fault, others)) return { kind: 'worse', reason }
    ofOne ??= reason
  }
  if (ofOne !== undefined) return { kind: 'one-client', reason: `a fault of one client alone did not count: ${ofOne}` }
  if (Math.min(before.requests, fresh.requests) < tolerances.requests) {
    const seen = `${fresh.requests} requests of the new release and ${before.requests} of the previous one`
    return { kind: 'too-little', reason: `with too little traffic to compare (${seen}), health alone decided` }
  }
  return haveCompared ? { kind: 'as-good' } : { kind: 'too-little', reason: NOT_COMPARED }
}

/**
 * A client can draw until it gets the new release, and then ask only for what fails or is slow anyway. So a fault has to
 * be there without any single client as well, unless the others have seen too little in the whole stage, or there are none.
 */
function isSeenByOthers({ find, couldFind }: BakeFault, { without, mayWait }: Others): boolean {
  if (couldFind === undefined) return true
  return without.every(facts => {
    const isNobody = facts.before.requests + facts.fresh.requests === 0
    return isNobody || find(facts) !== undefined || !(mayWait || couldFind(facts))
  })
}

const NOT_COMPARED =
  'latencies were not compared: that takes a stage of ' +
  `${COMPARED_FROM_MS / 1_000} s, ${warmth.answersAWorker} answers of each new worker before, and in mesh mode two workers`

/** The latency that one in a hundred answers exceeds, in milliseconds; undefined for less than a hundred. */
export function p99Of(latencies: Latencies): number | undefined {
  return answersIn(latencies) < tolerances.requests ? undefined : quantile(latencies, 0.99)
}

function quantile(latencies: Latencies, share: number): number {
  const wanted = answersIn(latencies) * share
  let seen = 0
  for (const [bucket, count] of [...latencies].sort(([a], [b]) => a - b)) {
    seen += count
    if (seen >= wanted) return boundOf(bucket)
  }
  return Infinity
}

/** A few requests say little about the previous release, so one error among them is assumed. */
function moreErrors({ before, fresh }: BakeFacts): string | undefined {
  const errors = fresh.failed + fresh.broken
  const expected = (before.failed + before.broken + 1) / (before.requests + 2) + tolerances.errors
  if (chanceOfAtLeast(errors, fresh.requests, expected) >= tolerances.chance) return undefined
  return `${shareOf(fresh)} of its requests failed, and ${shareOf(before)} of the previous release's`
}

/**
 * A single bad second is no verdict, and a release that is slow because it is cold is not judged. So the last windows have to be
 * slow, several in a row, and the last of these must not be much faster than the first.
 */
function slowerAnswers({ before, fresh, windows }: BakeFacts): string | undefined {
  if (fresh.requests < tolerances.requests) return undefined
  const counted = windows.map(window => slowIn(window, before.latencies))
  const run = counted.slice(counted.findLastIndex(({ slow, all }) => slow <= all * tolerances.slow) + 1)
  const last = run.at(-1)
  if (last === undefined || run.length < warmth.windows) return undefined
  const sum = { slow: total(run.map(({ slow }) => slow)), all: total(run.map(({ all }) => all)) }
  if (chanceOfAtLeast(sum.slow, sum.all, tolerances.slow) >= tolerances.chance) return undefined
  const share = percent(sum.slow / sum.all)
  return `${share} of its answers took longer than ${round(last.limit)} ms; the previous release has a p99 of ${round(last.usual)} ms`
}

/** On a busy machine the slowest of a hundred answers are slow anyway, and say little about a release. */
function slowerThanUsual({ before, fresh, windows }: BakeFacts): string | undefined {
  const last = windows.slice(-warmth.windows).map(window => [quantile(window.before, 0.5), quantile(window.fresh, 0.5)])
  const isSlow = ([usual = Infinity, median = 0]: number[]): boolean =>
    median > Math.max(usual * tolerances.usual, usual + tolerances.slowerMs)
  if (Math.min(before.requests, fresh.requests) < tolerances.requests || last.length < warmth.windows) return undefined
  if (!last.every(isSlow)) return undefined
  const [usual = 0, median = 0] = last.at(-1) ?? []
  return `the median answer took longer: ${round(median)} ms, and ${round(usual)} ms in the previous release`
}

/** Answers of the new release that took longer than is tolerated. */
function slowIn(
  { before, fresh }: LatencyWindow,
  allBefore: Latencies,
): Record<'slow' | 'all' | 'limit' | 'usual', number> {
  const usual = Math.max(p99Of(allBefore) ?? Infinity, p99Of(before) ?? 0)
  const limit = Math.max(usual * tolerances.slower, usual + tolerances.slowerMs)
  const slow = total([...fresh].filter(([bucket]) => boundOf(bucket) > limit).map(([, count]) => count))
  return { slow, all: answersIn(fresh), limit, usual }
}

/** As with slow answers, it has to last, and must not decrease. */
function moreWork({ fresh, windows }: BakeFacts): string | undefined {
  const last = windows.slice(-warmth.windows).map(({ work }) => work)
  const [first, end] = [last[0], last.at(-1)]
  if (fresh.requests < tolerances.requests || last.length < warmth.windows) return undefined
  if (first === undefined || end === undefined || end.fresh.cpuMs < first.fresh.cpuMs * tolerances.warming)
    return undefined
  const busy = total(last.map(window => window.fresh.loopUse)) / last.length
  if (busy < tolerances.busy || !last.every(isMoreWork)) return undefined
  return `a request took ${round(end.fresh.cpuMs)} ms of CPU time, and ${round(end.before.cpuMs)} ms in the previous release`
}

function isMoreWork({ before, fresh }: LatencyWindow['work']): boolean {
  const { work, workMs } = tolerances
  return before.cpuMs > 0 && fresh.cpuMs > Math.max(before.cpuMs * work, before.cpuMs + workMs)
}

function isGettingWarm({ windows }: BakeFacts): boolean {
  const usual = windows.map(({ before, fresh }) => quantile(fresh, 0.5) / quantile(before, 0.5))
  return (usual.at(-1) ?? 1) < (usual.at(-warmth.windows) ?? 0) * tolerances.warming
}

function total(numbers: readonly number[]): number {
  return numbers.reduce((sum, number) => sum + number, 0)
}

function moreMemory({ before, fresh }: BakeFacts): string | undefined {
  const allowed = Math.max(before.growthBytes, 0) + Math.max(tolerances.growthBytes, fresh.memoryBytes)
  if (fresh.growthBytes <= allowed) return undefined
  return `a worker grew by ${mebibytes(fresh.growthBytes)}, and one of the previous release by ${mebibytes(before.growthBytes)}`
}

function shareOf({ requests, failed, broken }: SideFigures): string {
  return `${failed + broken} of ${requests} (${percent(requests === 0 ? 0 : (failed + broken) / requests)})`
}

function percent(share: number): string {
  return `${round(share * 100)} %`
}

function round(number: number): number {
  return Math.round(number * 10) / 10
}

function mebibytes(bytes: number): string {
  return `${Math.round(bytes / 1024 ** 2)} MiB`
}

import { boundOf } from '#balancer/contract/latency-buckets.js'
import { chanceOfAtLeast } from './binomial.js'

/** The figures of one release in the seconds of a bake. */
export interface SideFigures {
  /** Answers, and tries that broke off. */
  readonly requests: number
  /** Answers with a status from 500. */
  readonly failed: number
  readonly broken: number
  /** How many answers took so long to begin, by bucket. Those of its first seconds, when nothing is warm, are left out. */
  readonly latencies: ReadonlyMap<number, number>
  /** How much the resident memory of a worker has grown on average, and what it was, in bytes. */
  readonly growthBytes: number
  readonly memoryBytes: number
}

/**
 * - `worse`: the new release is worse by more than its tolerances, and that is no chance
 * - `too-little`: there were too few requests to tell
 * - `as-good`
 */
export type Verdict = { readonly kind: 'worse' | 'too-little'; readonly reason: string } | { readonly kind: 'as-good' }

/** The tolerances. */
export const tolerances = {
  /** A release may fail this much more often than the one before: a share of its requests. */
  errors: 0.005,
  /** Its slow answers may take this many times as long as the slowest of a hundred of the one before, and longer by this. */
  slower: 1.5,
  slowerMs: 5,
  /** So many of its answers may be slower than that. It is twice what the release before has by definition. */
  slow: 0.02,
  /** A worker may grow by so many bytes more, and by as much more as it had. */
  growthBytes: 256 * 1024 ** 2,
  /** A finding counts only if a release as good as the one before would show it once in so many looks. */
  chance: 1 / 1_000,
  /** With fewer requests on one of both sides nothing but health is judged. */
  requests: 100,
} as const

/** Compares the new release with the one before, in the same seconds. Pure. */
export function judge(before: SideFigures, fresh: SideFigures): Verdict {
  const reason = moreErrors(before, fresh) ?? slowerAnswers(before, fresh) ?? moreMemory(before, fresh)
  if (reason !== undefined) return { kind: 'worse', reason }
  const { requests } = tolerances
  if (Math.min(before.requests, fresh.requests) >= requests) return { kind: 'as-good' }
  const seen = `${fresh.requests} requests of the new release and ${before.requests} of the one before`
  return { kind: 'too-little', reason: `there was too little traffic to compare (${seen}); health alone decided` }
}

/** The latency that one in a hundred answers exceeds, in milliseconds; undefined for less than a hundred. */
export function p99Of({ latencies }: SideFigures): number | undefined {
  const buckets = [...latencies].sort(([a], [b]) => a - b)
  const all = buckets.reduce((sum, [, count]) => sum + count, 0)
  if (all < tolerances.requests) return undefined
  let seen = 0
  for (const [bucket, count] of buckets) {
    seen += count
    if (seen >= all * 0.99) return boundOf(bucket)
  }
  return undefined
}

/** Few requests of the release before say little about it, so one error in them is assumed. */
function moreErrors(before: SideFigures, fresh: SideFigures): string | undefined {
  const errors = fresh.failed + fresh.broken
  const expected = (before.failed + before.broken + 1) / (before.requests + 2) + tolerances.errors
  if (chanceOfAtLeast(errors, fresh.requests, expected) >= tolerances.chance) return undefined
  return `${shareOf(fresh)} of its requests failed, and ${shareOf(before)} of those of the release before`
}

function slowerAnswers(before: SideFigures, fresh: SideFigures): string | undefined {
  const usual = p99Of(before)
  if (usual === undefined) return undefined
  const limit = Math.max(usual * tolerances.slower, usual + tolerances.slowerMs)
  let all = 0
  let slow = 0
  for (const [bucket, count] of fresh.latencies) {
    all += count
    if (boundOf(bucket) > limit) slow += count
  }
  if (all < tolerances.requests || chanceOfAtLeast(slow, all, tolerances.slow) >= tolerances.chance) return undefined
  const share = percent(slow / all)
  return `${share} of its answers took longer than ${round(limit)} ms; of the release before, 1 % exceed ${round(usual)} ms`
}

function moreMemory(before: SideFigures, fresh: SideFigures): string | undefined {
  const allowed = Math.max(before.growthBytes, 0) + Math.max(tolerances.growthBytes, fresh.memoryBytes)
  if (fresh.growthBytes <= allowed) return undefined
  return `a worker of it grew by ${mebibytes(fresh.growthBytes)}, and one of the release before by ${mebibytes(before.growthBytes)}`
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

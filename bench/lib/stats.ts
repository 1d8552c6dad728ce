export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  const upper = sorted[middle] ?? Number.NaN
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2
}

export interface Summary {
  median: number
  min: number
  max: number
  /** The ratio to the base: the median of the rounds' own ratios. */
  ratio: number
}

/**
 * Sums up the rounds of one peer.
 * @param values one value per round
 * @param base the rounds of the base: each ratio is of two neighbours in time, and other work on the
 *   machine disturbs both alike
 */
export function summarize(values: readonly number[], base: readonly number[]): Summary {
  return {
    median: median(values),
    min: Math.min(...values),
    max: Math.max(...values),
    ratio: medianRatio(values, base),
  }
}

export function medianRatio(values: readonly number[], base: readonly number[]): number {
  return median(values.map((value, round) => value / (base[round] ?? Number.NaN)))
}

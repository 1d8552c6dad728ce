export function median(values) {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
}

/**
 * What one peer's rounds come to.
 * @param {number[]} values one a round
 * @param {number[]} base the rounds of what it is compared to: each ratio is of two neighbours in time, so that what
 *   else the machine does meanwhile is done to both
 */
export function summarize(values, base) {
  const ratios = values.map((value, round) => value / base[round])
  return { median: median(values), min: Math.min(...values), max: Math.max(...values), ratio: median(ratios) }
}

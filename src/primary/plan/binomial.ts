/** The chance that of `trials` independent ones at least `hits` succeed, when each does with `probability`. */
export function chanceOfAtLeast(hits: number, trials: number, probability: number): number {
  if (hits <= trials * probability) return 1
  if (hits > trials || probability <= 0) return 0
  const [yes, no] = [Math.log(probability), Math.log1p(-probability)]
  let chance = 0
  for (let k = hits; k <= trials; k++) {
    const term = Math.exp(logChoose(trials, k) + k * yes + (trials - k) * no)
    chance += term
    // Beyond the mean each term is smaller than the one before.
    if (term < chance * 1e-9) break
  }
  return Math.min(1, chance)
}

/** The logarithm of the number of ways to choose k of n. */
function logChoose(n: number, k: number): number {
  return logFactorial(n) - logFactorial(k) - logFactorial(n - k)
}

/** Exact for small numbers, then Stirling's series, whose error is below 1e-8 from 10 on. */
function logFactorial(n: number): number {
  if (n < 10) {
    let product = 1
    for (let k = 2; k <= n; k++) product *= k
    return Math.log(product)
  }
  return n * Math.log(n) - n + 0.5 * Math.log(2 * Math.PI * n) + 1 / (12 * n) - 1 / (360 * n ** 3)
}

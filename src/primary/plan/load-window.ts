/** How much work the workers had in one second, in full workers: 2.5 would keep two and a half of them busy all the time. */
export interface Load {
  /** In milliseconds of one steady clock. */
  readonly at: number
  readonly load: number
  /** The quantity that the load is measured by. */
  readonly by: 'event loops' | 'requests in flight'
}

/** Knative's stable and panic windows, in milliseconds. */
export const STABLE_MS = 60_000
export const PANIC_MS = 6_000

/** The weight of older seconds, before the panic window, in Knative's weighted average. */
const WEIGHT_AT_END = 0.001

/** The loads of the stable window, with one more. */
export function withLoad(loads: readonly Load[], load: Load): Load[] {
  return [...loads.filter(({ at }) => load.at - at < STABLE_MS), load]
}

/** The mean of the stable window. */
export function stableLoad(loads: readonly Load[]): number {
  return loads.reduce((sum, { load }) => sum + load, 0) / Math.max(1, loads.length)
}

/** The mean of the panic window, in which the last second counts most. */
export function panicLoad(loads: readonly Load[]): number {
  const now = loads.at(-1)?.at ?? 0
  let [sum, weights] = [0, 0]
  for (const { at, load } of loads) {
    if (now - at >= PANIC_MS) continue
    const weight = WEIGHT_AT_END ** ((now - at) / PANIC_MS)
    sum += weight * load
    weights += weight
  }
  return weights === 0 ? 0 : sum / weights
}

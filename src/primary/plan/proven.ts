import type { ObservedChild } from './observed.js'

export interface Proven {
  /** The places of the release whose workers are ready, reachable and have lasted. */
  readonly places: ReadonlySet<number>
  /** When the next one will have lasted. */
  readonly due: number
}

/** The workers of a release that clients could get. */
export function provenOf(release: string, children: readonly ObservedChild[], provenMs: number, now: number): Proven {
  const places = new Set<number>()
  let due = Infinity
  for (const { role, release: own, place, leaving, reachable, readyAt } of children) {
    if (role !== 'worker' || own !== release || leaving || !reachable || readyAt === undefined) continue
    const at = readyAt + provenMs
    if (now >= at) places.add(place)
    else due = Math.min(due, at)
  }
  return { places, due }
}

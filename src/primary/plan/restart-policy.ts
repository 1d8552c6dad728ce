/** The time at which the place of a lost process is filled again. Times in milliseconds. */
export interface RestartVerdict {
  /**
   * - `now`: the process had proven itself
   * - `backoff`: the process exited early
   * - `park`: the place is in a crash loop, and gets one try now and then
   */
  readonly kind: 'now' | 'backoff' | 'park'
  readonly delayMs: number
  /** Whether to log it: false for every further parked place of the role. */
  readonly isNews: boolean
}

export interface RestartOptions {
  firstDelayMs: number
  maxDelayMs: number
  /** A place is parked when its role has this many early exits in the window, and at least two for each failing place. */
  parkAfter: number
  windowMs: number
  parkMs: number
}

export const defaultRestartOptions: RestartOptions = {
  firstDelayMs: 200,
  maxDelayMs: 30_000,
  parkAfter: 10,
  windowMs: 60_000,
  parkMs: 60_000,
}

/** The history of the places of one role, which all run the same code. */
export interface RestartHistory {
  readonly places: ReadonlyMap<string, PlaceHistory>
  /** The times of early exits within the window. */
  readonly earlyExits: readonly number[]
}

interface PlaceHistory {
  /** Name of the process that was lost. */
  readonly child: string
  readonly earlyInARow: number
  readonly parked: boolean
  readonly lostAt: number
  /** The place stays empty until then. */
  readonly notBefore: number
  /** Generation of the process that was lost. */
  readonly generation: number
}

export const noRestarts: RestartHistory = { places: new Map(), earlyExits: [] }

/** A process that was lost. */
export interface Loss {
  /** Its name, by which the loss may be pardoned. */
  readonly child?: string
  readonly place: string
  /** The time from ready to the end; 0 if the process never was ready. */
  readonly servedMs: number
  readonly generation: number
}

/**
 * Decides when to fill the place of a lost process.
 * @param now in any steady clock
 * @param provenMs a process that has served this long is proven; its exit is no sign of a crash loop
 */
export function judgeLoss(
  history: RestartHistory,
  { child = '', place, servedMs, generation }: Loss,
  now: number,
  provenMs: number,
  options: RestartOptions = defaultRestartOptions,
): { verdict: RestartVerdict; history: RestartHistory } {
  const { firstDelayMs, maxDelayMs, parkAfter, windowMs, parkMs } = options
  const places = new Map(history.places)
  const earlyExits = history.earlyExits.filter(at => at > now - windowMs)
  if (servedMs >= provenMs) {
    places.delete(place)
    return { verdict: { kind: 'now', delayMs: 0, isNews: true }, history: { places, earlyExits } }
  }
  earlyExits.push(now)
  const known = history.places.get(place)
  const earlyInARow = (known?.earlyInARow ?? 0) + 1
  const failing = known === undefined ? places.size + 1 : places.size
  // One early exit in each of many places is not a loop: a service that all of them need may have been away.
  const parked = known?.parked === true || earlyExits.length >= Math.max(parkAfter, 2 * failing)
  const isNews = !parked || ![...places.values()].some(each => each.parked)
  const delayMs = parked ? parkMs : Math.min(firstDelayMs * 2 ** (earlyInARow - 1), maxDelayMs)
  places.set(place, { child, earlyInARow, parked, lostAt: now, notBefore: now + delayMs, generation })
  return { verdict: { kind: parked ? 'park' : 'backoff', delayMs, isNews }, history: { places, earlyExits } }
}

/** The time from which the place may be filled; in the past if it may be filled now. */
export function notBefore(history: RestartHistory, place: string): number {
  return history.places.get(place)?.notBefore ?? -Infinity
}

/** Whether the last process of the place exited early and ran code older than `generation`. */
export function failedBefore(history: RestartHistory, place: string, generation: number): boolean {
  const known = history.places.get(place)
  return known !== undefined && known.generation < generation
}

/** Forgets the last loss of a place: a request ended that process, which says nothing about the code that all run. */
export function pardoned(history: RestartHistory, child: string): RestartHistory {
  const [place, lost] = [...history.places].find(([, known]) => known.child === child) ?? []
  if (place === undefined || lost === undefined) return history
  const places = new Map(history.places)
  const earlyInARow = lost.earlyInARow - 1
  if (earlyInARow === 0) places.delete(place)
  else places.set(place, { ...lost, child: '', earlyInARow, parked: false, notBefore: -Infinity })
  const at = history.earlyExits.indexOf(lost.lostAt)
  return { places, earlyExits: history.earlyExits.filter((_, i) => i !== at) }
}

/** Forgets the losses of places that have recovered or are no longer wanted. */
export function forgiven(history: RestartHistory, isFine: (place: string, since: number) => boolean): RestartHistory {
  if (history.places.size === 0) return history
  const left = [...history.places].filter(([place, { lostAt }]) => !isFine(place, lostAt))
  return left.length === history.places.size ? history : { ...history, places: new Map(left) }
}

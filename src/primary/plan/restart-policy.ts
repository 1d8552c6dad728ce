/** When a place whose process was lost is filled again. Times in milliseconds. */
export interface RestartVerdict {
  /**
   * - `now`: the process had proven itself
   * - `backoff`: it exited early
   * - `park`: a crash loop: one try now and then
   */
  readonly kind: 'now' | 'backoff' | 'park'
  readonly delayMs: number
  /** The first place of its role that is parked: they run the same code, so one message says it for all. */
  readonly isNews: boolean
}

export interface RestartOptions {
  /** A process that has served this long is proven: its exit is no sign of a loop. */
  provenMs: number
  firstDelayMs: number
  maxDelayMs: number
  /** So many early exits within the window, and at least two for each place that has had any, park the place. */
  parkAfter: number
  windowMs: number
  parkMs: number
}

export const defaultRestartOptions: RestartOptions = {
  provenMs: 1_000,
  firstDelayMs: 200,
  maxDelayMs: 30_000,
  parkAfter: 10,
  windowMs: 60_000,
  parkMs: 60_000,
}

/** What is remembered of the places of one role, which all run the same code. */
export interface RestartHistory {
  readonly places: ReadonlyMap<string, PlaceHistory>
  /** When processes exited early, within the window. */
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
  /** From ready to its end; 0 when it never was ready. */
  readonly servedMs: number
  readonly generation: number
}

/** Judges a loss. @param now in any steady clock */
export function judgeLoss(
  history: RestartHistory,
  { child = '', place, servedMs, generation }: Loss,
  now: number,
  options: RestartOptions = defaultRestartOptions,
): { verdict: RestartVerdict; history: RestartHistory } {
  const { provenMs, firstDelayMs, maxDelayMs, parkAfter, windowMs, parkMs } = options
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
  // One each, of many places, is no loop: what they all need may have been away for a moment.
  const parked = known?.parked === true || earlyExits.length >= Math.max(parkAfter, 2 * failing)
  const isNews = !parked || ![...places.values()].some(each => each.parked)
  const delayMs = parked ? parkMs : Math.min(firstDelayMs * 2 ** (earlyInARow - 1), maxDelayMs)
  places.set(place, { child, earlyInARow, parked, lostAt: now, notBefore: now + delayMs, generation })
  return { verdict: { kind: parked ? 'park' : 'backoff', delayMs, isNews }, history: { places, earlyExits } }
}

/** When the place may be filled; the past when nothing speaks against it. */
export function notBefore(history: RestartHistory, place: string): number {
  return history.places.get(place)?.notBefore ?? -Infinity
}

/** Whether the last process of the place was lost early, and ran older code than `generation`. */
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

/** Forgets the losses of places that have been fine since, or are not wanted any more. */
export function forgiven(history: RestartHistory, isFine: (place: string, since: number) => boolean): RestartHistory {
  if (history.places.size === 0) return history
  const left = [...history.places].filter(([place, { lostAt }]) => !isFine(place, lostAt))
  return left.length === history.places.size ? history : { ...history, places: new Map(left) }
}

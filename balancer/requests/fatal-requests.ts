import type { FatalRequest, KnownFatalRequest } from '../contract/targets.js'

/** A request that has ended targets now. */
export interface FatalRequestFound extends FatalRequest {
  targets: number
}

const WINDOW_MS = 60_000
const MAX_KINDS = 100
const MAX_PATH = 200

/** A kind of request that has ended this many targets within the window is not tried a second time. */
const FATAL_COUNT = 3
/** How many targets a request may end before it is given up. */
const TARGETS_OF_ONE = 2

/** Remembers for a minute which methods and paths ended their targets. Bounded, since clients choose the paths. */
export class FatalRequests {
  /** When targets ended, in the clock of `performance.now()`; the one that was reported last comes last. */
  readonly #kinds = new Map<string, number[]>()

  constructor(private readonly onFound: (request: FatalRequestFound) => void) {}

  get size(): number {
    return this.#kinds.size
  }

  has(request: Requested): boolean {
    return this.#kinds.has(keyOf(request))
  }

  /** How many targets such a request may end until it is given up. */
  allowanceOf(request: Requested, now: number): number {
    const ended = withinWindow(this.#kinds.get(keyOf(request)), now).length
    return Math.max(1, Math.min(TARGETS_OF_ONE, FATAL_COUNT - ended))
  }

  /** Records how many targets a request has ended. */
  record(request: Requested, targets: number, now: number): void {
    const key = keyOf(request)
    this.#remember(key, [...withinWindow(this.#kinds.get(key), now), ...Array<number>(targets).fill(now)], now)
    this.onFound({ method: request.method ?? '', path: pathOf(request), targets })
  }

  /** Takes over what other balancers have found. @param origin of this clock, in milliseconds since 1970 */
  learn(known: readonly KnownFatalRequest[], now: number, origin = performance.timeOrigin): void {
    for (const { method, path, endedAt } of known) {
      const key = keyOf({ method, url: path })
      const told = endedAt.map(at => at - origin).filter(at => at > now - WINDOW_MS)
      if (told.length > withinWindow(this.#kinds.get(key), now).length) this.#remember(key, told, now)
    }
  }

  #remember(key: string, ends: number[], now: number): void {
    this.#kinds.delete(key)
    this.#kinds.set(key, ends.slice(-FATAL_COUNT))
    for (const [oldest, times] of this.#kinds) {
      if (this.#kinds.size <= MAX_KINDS && (times.at(-1) ?? 0) > now - WINDOW_MS) return
      this.#kinds.delete(oldest)
    }
  }
}

interface Requested {
  method?: string | undefined
  url?: string | undefined
}

function withinWindow(times: readonly number[] | undefined, now: number): readonly number[] {
  return times?.filter(at => at > now - WINDOW_MS) ?? []
}

function pathOf({ url = '' }: Requested): string {
  const query = url.indexOf('?')
  return url.slice(0, Math.min(query < 0 ? url.length : query, MAX_PATH))
}

function keyOf(request: Requested): string {
  return `${request.method ?? ''} ${pathOf(request)}`
}

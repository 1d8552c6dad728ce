/** A kind of request that has ended targets. */
export interface FatalRequest {
  method: string
  /** Without the query, cut to a length that a log can take. */
  path: string
  /** Targets that it ended within the window. */
  count: number
  /** Since the first of these. */
  seconds: number
}

interface Kind {
  method: string
  path: string
  /** When targets ended, in the clock of `performance.now()`. */
  ends: number[]
  reportedAt: number
}

const WINDOW_MS = 60_000
const MAX_KINDS = 100
const MAX_PATH = 200
/** One kind is reported once in this time. */
const REPORT_MS = 10_000
const REPORTS_PER_WINDOW = 20

/** So many targets within the window, and a kind of request is not tried a second time. */
const FATAL_COUNT = 3
/** So many targets a request may end before it is given up. */
const TARGETS_OF_ONE = 2

/** Remembers for a minute which methods and paths ended their targets. Bounded, since clients choose the paths. */
export class FatalRequests {
  readonly #kinds = new Map<string, Kind>()
  #reports: number[] = []

  /** @param onReport called at most 20 times a minute */
  constructor(private readonly onReport: (request: FatalRequest) => void) {}

  get size(): number {
    return this.#kinds.size
  }

  has(request: Requested): boolean {
    return this.#kinds.has(keyOf(request))
  }

  /** How many targets such a request may end until it is given up. */
  allowanceOf(request: Requested, now: number): number {
    const kind = this.#kinds.get(keyOf(request))
    const ended = kind === undefined ? 0 : withinWindow(kind.ends, now).length
    return Math.max(1, Math.min(TARGETS_OF_ONE, FATAL_COUNT - ended))
  }

  /** Records that a request has ended so many targets. */
  record(request: Requested, targets: number, now: number): void {
    const key = keyOf(request)
    const kind = this.#kinds.get(key) ?? {
      method: request.method ?? '',
      path: pathOf(request),
      ends: [],
      reportedAt: -Infinity,
    }
    kind.ends = [...withinWindow(kind.ends, now), ...Array<number>(targets).fill(now)].slice(-MAX_ENDS)
    // The one that was heard of last comes last.
    this.#kinds.delete(key)
    this.#kinds.set(key, kind)
    this.#forgetOld(now)
    this.#report(kind, now)
  }

  #forgetOld(now: number): void {
    for (const [key, { ends }] of this.#kinds) {
      if (this.#kinds.size <= MAX_KINDS && (ends.at(-1) ?? 0) > now - WINDOW_MS) return
      this.#kinds.delete(key)
    }
  }

  #report(kind: Kind, now: number): void {
    this.#reports = withinWindow(this.#reports, now)
    if (this.#reports.length >= REPORTS_PER_WINDOW || now - kind.reportedAt < REPORT_MS) return
    this.#reports.push(now)
    kind.reportedAt = now
    const { method, path, ends } = kind
    const seconds = Math.max(1, Math.ceil((now - (ends[0] ?? now)) / 1_000))
    this.onReport({ method, path, count: ends.length, seconds })
  }
}

interface Requested {
  method?: string | undefined
  url?: string | undefined
}

const MAX_ENDS = 1_000

function withinWindow(times: number[], now: number): number[] {
  return times.filter(at => at > now - WINDOW_MS)
}

function pathOf({ url = '' }: Requested): string {
  const query = url.indexOf('?')
  return url.slice(0, Math.min(query < 0 ? url.length : query, MAX_PATH))
}

function keyOf(request: Requested): string {
  return `${request.method ?? ''} ${pathOf(request)}`
}

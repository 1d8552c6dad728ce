import type { KnownFatalRequest } from '#balancer/contract/targets.js'

/** A kind of request as the log names it. */
export interface FatalRequestNews {
  method: string
  path: string
  /** Workers that it ended within the last minute. */
  count: number
  /** Since the first of these. */
  seconds: number
}

interface Kind {
  method: string
  path: string
  /** In milliseconds since 1970: processes do not share another clock. */
  endedAt: number[]
  toldAt: number
}

const WINDOW_MS = 60_000
const MAX_KINDS = 100
const MAX_ENDS = 1_000
/** A balancer needs no more of a kind. */
const ENDS_PASSED_ON = 3
/** One kind is in the log once in this time. */
const NEWS_MS = 10_000
const NEWS_PER_WINDOW = 20

/**
 * The requests that ended workers within the last minute, as balancing processes report them. All of these get them,
 * because in mesh mode the one that found such a request has often ended with it.
 */
export class FatalRequestRecord {
  #kinds: readonly Kind[] = []
  #news: readonly number[] = []

  /** @param onNews called at most 20 times a minute */
  constructor(private readonly onNews: (news: FatalRequestNews) => void) {}

  get known(): KnownFatalRequest[] {
    return this.#kinds.map(({ method, path, endedAt }) => ({ method, path, endedAt: endedAt.slice(-ENDS_PASSED_ON) }))
  }

  /** Records how many workers a request has ended. @param now in milliseconds since 1970 */
  note({ method, path, targets }: { method: string; path: string; targets: number }, now: number): void {
    const isSame = (kind: Kind): boolean => kind.method === method && kind.path === path
    const before = this.#kinds.find(isSame)
    const ends = (before?.endedAt ?? []).filter(at => at > now - WINDOW_MS)
    const endedAt = [...ends, ...Array<number>(targets).fill(now)].slice(-MAX_ENDS)
    const kind = { method, path, endedAt, toldAt: before?.toldAt ?? -Infinity }
    const others = this.#kinds.filter(other => !isSame(other) && (other.endedAt.at(-1) ?? 0) > now - WINDOW_MS)
    this.#kinds = [...others, kind].slice(-MAX_KINDS)
    this.#tell(kind, now)
  }

  #tell(kind: Kind, now: number): void {
    this.#news = this.#news.filter(at => at > now - WINDOW_MS)
    if (this.#news.length >= NEWS_PER_WINDOW || now - kind.toldAt < NEWS_MS) return
    this.#news = [...this.#news, now]
    kind.toldAt = now
    const { method, path, endedAt } = kind
    const seconds = Math.max(1, Math.ceil((now - (endedAt[0] ?? now)) / 1_000))
    this.onNews({ method, path, count: endedAt.length, seconds })
  }
}

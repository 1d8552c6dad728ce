/** The longest time of one slice. All other work of this process waits meanwhile. */
const SLICE_MS = 5
/** Some seconds of small pieces. */
const MAX_WAITING = 100_000

/** Pieces of one piece of work, in order. */
interface Work<Item> {
  readonly items: readonly Item[]
  readonly act: (item: Item) => void
  next: number
}

export interface TimeSlicesOptions {
  /** The largest share of the time that is taken, from 0 to 1. */
  share: number
  /** In milliseconds, of any steady clock. */
  now?: () => number
  /** Calls `run` once after `ms` milliseconds. Returns a function that prevents it. */
  later?: (run: () => void, ms: number) => () => void
  maxWaiting?: number
}

/**
 * Does work of many small pieces in slices, so that other work of this process is never held
 * up for long. What is small is done at once. In any time t it takes at most 5 ms + t * share, and one piece more, unless
 * more than `maxWaiting` pieces wait.
 *
 * The work of one line is done in the order in which it came. Lines take turns, so that a long one does not delay the others.
 */
export class TimeSlices<Item> {
  /** In the order of their turns. None is empty. */
  readonly #lines = new Map<string, Array<Work<Item>>>()
  readonly #share: number
  readonly #now: () => number
  readonly #later: NonNullable<TimeSlicesOptions['later']>
  readonly #maxWaiting: number
  #waiting = 0
  /** The time that was taken is made up for at this moment. */
  #restedAt = -Infinity
  /** Prevents the next slice. */
  #cancel: (() => void) | undefined
  #isActing = false
  #stopped = false

  constructor({ share, now = () => performance.now(), later = after, maxWaiting = MAX_WAITING }: TimeSlicesOptions) {
    this.#share = share
    this.#now = now
    this.#later = later
    this.#maxWaiting = maxWaiting
  }

  /** Pieces that are not done yet. */
  get waiting(): number {
    return this.#waiting
  }

  /**
   * When more than `maxWaiting` pieces wait, the excess is done at once, while the caller that adds it waits.
   * @param name of the line
   */
  add(items: readonly Item[], act: (item: Item) => void, name = ''): void {
    if (this.#stopped || items.length === 0) return
    const work = { items, act, next: 0 }
    const line = this.#lines.get(name)
    if (line === undefined) this.#lines.set(name, [work])
    else line.push(work)
    this.#waiting += items.length
    if (this.#isActing) return
    if (this.#waiting > this.#maxWaiting) this.#actOnExcess()
    else if (this.#cancel === undefined) this.#takeSlice()
  }

  /** Drops the work that waits. */
  stop(): void {
    this.#stopped = true
    this.#cancel?.()
    this.#cancel = undefined
    this.#lines.clear()
    this.#waiting = 0
  }

  #actOnExcess(): void {
    try {
      this.#actUntil(Infinity, this.#maxWaiting)
    } finally {
      if (this.#waiting > 0 && this.#cancel === undefined) this.#goOnLater()
    }
  }

  #takeSlice(): void {
    const now = this.#now()
    try {
      this.#actUntil(now + SLICE_MS - Math.max(0, this.#restedAt - now) * this.#share)
    } finally {
      if (this.#waiting > 0) this.#goOnLater()
    }
  }

  #goOnLater(): void {
    const goOn = (): void => {
      this.#cancel = undefined
      this.#takeSlice()
    }
    this.#cancel = this.#later(goOn, Math.max(1, this.#restedAt - this.#now()))
  }

  /** @param left how many pieces may be left */
  #actUntil(end: number, left = 0): void {
    const begun = this.#now()
    this.#isActing = true
    try {
      for (;;) {
        const [next] = this.#lines
        const work = next?.[1][0]
        if (next === undefined || work === undefined || this.#waiting <= left || this.#now() >= end) break
        const item = work.items[work.next] as Item
        work.next += 1
        this.#waiting -= 1
        if (work.next === work.items.length) this.#endTurn(...next)
        work.act(item)
      }
    } finally {
      this.#isActing = false
      const now = this.#now()
      const restedAt = Math.max(this.#restedAt, begun) + (now - begun) / this.#share
      // A piece may take longer than a slice. The next ones need not wait for as long again.
      this.#restedAt = Math.min(restedAt, now + SLICE_MS / this.#share)
    }
  }

  /** The first piece of work of this line is done. */
  #endTurn(name: string, line: Array<Work<Item>>): void {
    line.shift()
    this.#lines.delete(name)
    if (line.length > 0) this.#lines.set(name, line)
  }
}

function after(run: () => void, ms: number): () => void {
  const timer = setTimeout(run, ms)
  return () => clearTimeout(timer)
}

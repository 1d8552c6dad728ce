/** This many take some 40 ms. A client may send them in a second. */
const MOST = 32_768
const WINDOW_MS = 1_000

/** How many chunks of bodies that are mostly framing a client sends. */
export class ChunkRate {
  #count = 0
  #begun = -Infinity

  /** @param onReached called for one that is too many */
  constructor(private readonly onReached: () => void) {}

  /** One has come. @returns false if it is too many */
  take(now: () => number = () => performance.now()): boolean {
    this.#count += 1
    if (this.#count <= MOST) return true
    const at = now()
    if (at - this.#begun < WINDOW_MS) {
      this.onReached()
      return false
    }
    this.#begun = at
    this.#count = 1
    return true
  }
}

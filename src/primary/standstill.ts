/** Looks are a second apart. One this long after the last one means that this process was stopped, or the machine slept. */
const OVERSLEPT_MS = 3_000

/** Tells whether this process stood still, and so received nothing. */
export class Standstill {
  #lookedAt: number | undefined

  /** To be called once a second. @returns whether the process stood still since the call before */
  isOver(now: number): boolean {
    const sinceLook = now - (this.#lookedAt ?? now)
    this.#lookedAt = now
    return sinceLook >= OVERSLEPT_MS
  }
}

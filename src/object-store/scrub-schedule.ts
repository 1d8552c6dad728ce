import { setTimeout } from 'node:timers/promises'
import type { Pace, ScrubReport } from './disk/scrub.js'

export interface ScrubTimes {
  /** From the start of the store to the first scrub. */
  readonly firstAfterMs: number
  /** From the end of a scrub to the next one. */
  readonly everyMs: number
}

/** Reads at most this many bytes in a second on average. */
export function pacer(bytesPerSecond: number, signal: AbortSignal): Pace {
  return async bytes => {
    await setTimeout((bytes / bytesPerSecond) * 1000, undefined, { signal, ref: false })
  }
}

/** Repeats a scrub until the signal is aborted. Never rejects. */
export async function repeatScrub(
  { firstAfterMs, everyMs }: ScrubTimes,
  scrub: () => Promise<ScrubReport>,
  failed: (error: unknown) => void,
  signal: AbortSignal,
): Promise<void> {
  for (let wait = firstAfterMs; ; wait = everyMs) {
    try {
      await setTimeout(wait, undefined, { signal, ref: false })
      await scrub()
    } catch (error) {
      if (signal.aborted) return
      failed(error)
    }
  }
}

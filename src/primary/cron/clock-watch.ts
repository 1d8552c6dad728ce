import { MISSED_MS } from '../plan/cron.js'

/** Notices that the clock on the wall was set back, e.g. from the year 2099 of a machine without a battery. */
export class ClockWatch {
  #seen = -Infinity

  /** Whether times that were found before may lie too far ahead. @param now in milliseconds since 1970 */
  wasSetBack(now: number): boolean {
    // A time that has just come does not come again by a small correction.
    const back = this.#seen - now > MISSED_MS
    this.#seen = now
    return back
  }
}

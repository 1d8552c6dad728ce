import type { StartSpec } from './plan/action.js'
import { placeKey } from './plan/observed.js'

/** How often each place got another process, but not by a reload. */
export class RestartCount {
  readonly #byPlace = new Map<string, number>()

  of(spec: StartSpec): number {
    return this.#byPlace.get(placeKey(spec)) ?? 0
  }

  /** The process of this place has ended unasked, or is to be replaced. */
  note(spec: StartSpec): void {
    this.#byPlace.set(placeKey(spec), this.of(spec) + 1)
  }
}

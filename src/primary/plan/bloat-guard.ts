import type { Logger } from '../../process/log.js'
import type { Slot } from './slot.js'

/** A worker that grows over its limit is replaced at once; one whose successor does the same, so much later. */
const PAUSE_MS = 60_000

/** Keeps a memory limit that no worker can hold from becoming a loop of replacements. */
export class BloatGuard {
  readonly #replacedAt = new Map<Slot, number>()
  #warned = false

  constructor(private readonly log: Logger) {}

  /** Whether the worker in this place, being over its limit, is to be replaced now. */
  mayReplace(slot: Slot): boolean {
    const now = performance.now()
    const last = this.#replacedAt.get(slot)
    if (last !== undefined && now - last < PAUSE_MS) {
      if (!this.#warned) this.log.error({}, WARNING)
      this.#warned = true
      return false
    }
    this.#replacedAt.set(slot, now)
    this.#warned = false
    return true
  }
}

const WARNING = 'a worker is over WORKER_MAX_MEMORY within a minute of replacing one that was: one a minute is replaced'

import { collectYoung } from './young-garbage.js'

/** A second with as many requests grows the space for young objects. */
const BUSY_PER_SECOND = 200
/** A second with fewer requests does not keep a process from rest. */
const QUIET_PER_SECOND = 20
/** V8 shrinks its space for young objects if little was allocated in the last seconds. */
const QUIET_SECONDS = 5

/**
 * Gives memory back once a process that was busy is at rest. By itself V8 keeps its space for young objects as large as it
 * was under load: 16 MiB in a worker, 8 MiB in a balancer. A collection of young objects takes about a millisecond, and
 * lets Node 24 and later shrink that space to 1 MiB.
 */
export class RestingMemory {
  #wasBusy = false
  #quietSeconds = 0

  constructor(private readonly collect: () => void = collectYoung) {}

  /** To be called each second. */
  look(requestsPerSecond: number): void {
    this.#wasBusy ||= requestsPerSecond >= BUSY_PER_SECOND
    this.#quietSeconds = requestsPerSecond < QUIET_PER_SECOND ? this.#quietSeconds + 1 : 0
    if (!this.#wasBusy || this.#quietSeconds < QUIET_SECONDS) return
    this.#wasBusy = false
    this.collect()
  }
}

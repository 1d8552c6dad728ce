import { performance } from 'node:perf_hooks'
import { collectYoung } from './young-garbage.js'

/** Shares of a second in which the event loop was busy. */
const BUSY = 0.3
const QUIET = 0.1
/**
 * The quiet seconds after which to collect. V8 shrinks its space for young objects at a collection if little was allocated
 * since the one before. The first collection ends the account of the load, the second one finds it nearly empty.
 */
const FIRST_COLLECTION = 1
const LAST_COLLECTION = 6

/**
 * Gives memory back once a process that was busy is at rest. By itself V8 keeps its space for young objects as large as it
 * was under load: 16 MiB in a worker, 8 MiB in a balancer. Two collections of young objects take about a millisecond each,
 * and let Node 24 and later shrink that space to 1 MiB.
 */
export class RestingMemory {
  /** A process was busy while it loaded its modules. */
  #wasBusy = true
  #quietSeconds = 0

  constructor(private readonly collect: () => void = collectYoung) {}

  /** To be called each second. @param loopUse the share of that second in which the event loop was busy */
  look(loopUse: number): void {
    this.#wasBusy ||= loopUse >= BUSY
    this.#quietSeconds = loopUse < QUIET ? this.#quietSeconds + 1 : 0
    if (!this.#wasBusy) return
    const last = this.#quietSeconds >= LAST_COLLECTION
    if (last) this.#wasBusy = false
    if (last || this.#quietSeconds === FIRST_COLLECTION) this.collect()
  }
}

/** For a process that does not measure itself. */
export function giveMemoryBack(): void {
  const memory = new RestingMemory()
  let before = performance.eventLoopUtilization()
  const look = (): void => {
    memory.look(performance.eventLoopUtilization(before).utilization)
    before = performance.eventLoopUtilization()
  }
  setInterval(look, 1_000).unref()
}

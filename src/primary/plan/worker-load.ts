import type { Load } from './load-window.js'

/** The report of a serving worker about its last second. */
export interface WorkerVitals {
  readonly name: string
  readonly inFlight: number
  /** Of these, those whose answer has begun: they hold no place. */
  readonly streaming: number
  /** Requests that came in the last second. */
  readonly requestsPerSecond: number
  /** The share of the last second in which its event loop was busy. */
  readonly loopUse: number
  /** In cores. */
  readonly cpuUse: number
  readonly rssBytes: number
  /** Names of the leases that it holds. */
  readonly leases?: readonly string[]
}

/** From this use on, an event loop has no time left, and its requests queue. */
const FULL = 0.95

/** A full worker counts as this many at most: one second says no more of its queue. */
const MOST_WORK = 10

/**
 * Waiting requests count as this many times those at the workers, at most. Otherwise a client that is held back to a few
 * requests, or the queue of a restart, would look like work for many workers.
 */
const MOST_WAITING = 3

/** @param before its requests in flight a second ago; undefined if it did not serve then */
function workOf({ loopUse, inFlight, requestsPerSecond: came }: WorkerVitals, before: number | undefined): number {
  if (loopUse < FULL || before === undefined || came === 0) return loopUse
  // A full loop only shows that there is too much work. The requests that came and those that were done show how much.
  const done = came - (inFlight - before)
  return loopUse * (came / Math.max(done, came / MOST_WORK))
}

/**
 * The load of one second: the work of the event loops, or the places that requests in flight take, whichever is more. A request
 * that waits for a place counts as well: one client may not take all places of a worker, but more workers have more.
 * @param before the requests in flight of each worker a second ago, by name
 * @param places how many requests one worker may have in flight
 */
export function loadOf(
  { workers, waiting }: { readonly workers: readonly WorkerVitals[]; readonly waiting: number },
  before: ReadonlyMap<string, number>,
  places: number,
  at: number,
): Load {
  let [work, inFlight] = [0, 0]
  for (const worker of workers) {
    work += workOf(worker, before.get(worker.name))
    inFlight += worker.inFlight - worker.streaming
  }
  const taken = (inFlight + Math.min(waiting, MOST_WAITING * inFlight)) / places
  return work >= taken ? { at, load: work, by: 'event loops' } : { at, load: taken, by: 'requests in flight' }
}

import { LITTLE } from '../contract/dynamic-threshold.js'

/** Something in flight that may have to give its place to another client. */
export interface Preemptible {
  readonly account: PlaceHolder
  /**
   * How long it has kept a place that any request could have, without an answer, in milliseconds. Without end while its
   * body arrives, since only its client is to blame for that.
   */
  readonly keptPlaceMs: number
}

interface PlaceHolder {
  readonly places: { readonly held: number }
}

/** An app that works on a request for so long may as well wait for something, as a long poll does. */
const LONG_MS = 500

/**
 * The request that gives its place to a client that holds less: one of the client that holds most. So clients that come
 * one after the other end with the same as those that come together.
 * @param arriving may be those whose bodies are on their way
 * @param awaiting those that wait for their answers, the oldest first, if no place is left. One gives its place only to a
 * client with little, so that this finds one
 */
export function giverTo<Item extends Preemptible>(
  { places }: PlaceHolder,
  arriving: readonly Item[],
  awaiting: readonly Item[],
): Item | undefined {
  const byBody = largestOf(arriving, places.held + 1, Infinity)
  if (byBody !== undefined || places.held >= LITTLE) return byBody
  return largestOf(awaiting, LITTLE, LONG_MS)
}

/** @param held its client holds more */
function largestOf<Item extends Preemptible>(items: readonly Item[], held: number, leastMs: number): Item | undefined {
  let largest: Item | undefined
  for (const item of items) {
    const { places } = item.account
    if (places.held > (largest?.account.places.held ?? held) && item.keptPlaceMs >= leastMs) largest = item
  }
  return largest
}

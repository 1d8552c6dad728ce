import { LITTLE } from '../contract/dynamic-threshold.js'
import type { BalancerErrorCode } from '../errors.js'
import { maySendAgain, type Sendable } from './retry.js'

/** Something in flight that may have to give its place to another client. */
export interface Preemptible {
  readonly account: PlaceHolder
  /**
   * How long it has kept a place that any request could have, without an answer, in milliseconds. Without end while its
   * body arrives, since only its client is to blame for that.
   */
  readonly keptPlaceMs: number
  readonly request: Sendable
}

interface PlaceHolder {
  readonly places: { readonly held: number }
}

/** An app that works on a request for this long may as well wait for something, as a long poll does. */
const LONG_MS = 500
/** A request that the app may have carried out has this much longer: few people wait that long for an answer. */
const LONG_FOR_ONCE_MS = 5_000

/**
 * The request that gives its place to a client that holds less: one of the client that holds most. So clients that come
 * one after the other end with the same as those that come together. A request that must not be sent twice, and that the
 * app has, is the last choice.
 * @param arriving may be those whose bodies are on their way
 * @param awaiting those that wait for their answers, the oldest first, if hardly a place is left. One gives its place only to a
 * client with little, so that this finds one
 */
export function preemptedFor<Item extends Preemptible>(
  { places }: PlaceHolder,
  arriving: readonly Item[],
  awaiting: readonly Item[],
): Item | undefined {
  const byBody = largestOf(arriving, places.held + 1, item => isArriving(item))
  if (byBody !== undefined || places.held >= LITTLE) return byBody
  return (
    largestOf(awaiting, LITTLE, ({ keptPlaceMs, request }) => keptPlaceMs >= LONG_MS && maySendAgain(request)) ??
    largestOf(awaiting, LITTLE, ({ keptPlaceMs }) => keptPlaceMs >= LONG_FOR_ONCE_MS)
  )
}

/** The answer to a request that gives its place. A 503 would invite its client to send it again. */
export function answerToPreempted(item: Preemptible): BalancerErrorCode {
  return maySendAgain(item.request) || isArriving(item) ? 'OVERLOADED' : 'UPSTREAM_TIMEOUT'
}

/** No app can take it for whole yet. */
function isArriving({ keptPlaceMs }: Preemptible): boolean {
  return keptPlaceMs === Infinity
}

/** @param held its client holds more */
function largestOf<Item extends Preemptible>(
  items: readonly Item[],
  held: number,
  mayGive: (item: Item) => boolean,
): Item | undefined {
  let largest: Item | undefined
  for (const item of items) {
    if (item.account.places.held > (largest?.account.places.held ?? held) && mayGive(item)) largest = item
  }
  return largest
}

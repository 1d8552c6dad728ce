import type { ObservedChild } from './observed.js'
import type { Pass, Place } from './pass.js'
import { failedBefore, notBefore } from './restart-policy.js'
import { isOutdated, placeInTurn } from './rollout.js'

/** Starts a process for each place that is empty, as soon as its losses allow it. */
export function fillPlaces(pass: Pass): void {
  const inTurn = placeInTurn(pass)
  for (const place of pass.places()) if (place.holder === undefined) startFor(pass, place, inTurn)
}

/** Start, ready, healthy, proven, swap, drain: the holder serves until its successor does. */
export function replaceHolders(pass: Pass): void {
  const inTurn = placeInTurn(pass)
  for (const place of pass.places()) {
    const { holder, successor } = place
    if (holder === undefined) continue
    // One that was started for its place goes on, although the turn may have changed.
    const isWanted =
      holder.retiring !== undefined || (isOutdated(pass, place) && (place === inTurn || successor !== undefined))
    if (successor === undefined) {
      if (isWanted) startFor(pass, place, inTurn)
    } else if (!isWanted && isServing(successor)) {
      pass.act({ type: 'stop', child: successor.name, deadlineMs: 0, graceMs: pass.limits.killGraceMs })
    } else if (isWanted && isServing(holder) && pass.isProven(successor))
      pass.act({ type: 'drain', child: holder.name })
  }
}

/** Lets go of what is not wanted any more, once all that is wanted is there. */
export function removeSurplus(pass: Pass): void {
  const surplus = pass.children.filter(child => isServing(child) && !pass.isWanted(child))
  if (surplus.length === 0 || !pass.places().every(({ holder }) => pass.isProven(holder))) return
  for (const { name } of surplus) pass.act({ type: 'drain', child: name })
}

function startFor(pass: Pass, place: Place, inTurn: Place | undefined): void {
  const { key, role, release, index } = place
  const restarts = pass.history.restarts[role]
  const due = notBefore(restarts, key)
  pass.lookAgainAt(due)
  // What exited early was older code, which may have been mended.
  const isNewCode = place === inTurn && failedBefore(restarts, key, pass.generation)
  if (pass.now < due && !isNewCode) return
  pass.start({ role, release, place: index, generation: pass.generation })
}

function isServing({ state }: ObservedChild): boolean {
  return state === 'starting' || state === 'ready'
}

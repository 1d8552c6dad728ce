import type { ObservedChild } from './observed.js'
import type { Pass } from './pass.js'
import type { Place } from './place.js'
import { failedBefore, notBefore } from './restart-policy.js'
import { isOutdated, placeInTurn } from './rollout.js'

/** Starts a process for each empty place, as soon as the restart policy allows it. */
export function fillPlaces(pass: Pass): void {
  const inTurn = placeInTurn(pass)
  const empty = pass.places.filter(({ holder }) => holder === undefined)
  for (const place of longestStartFirst(empty)) startFor(pass, place, inTurn)
}

/** An app takes longer to load than a balancer. Its other workers come last, so that a machine with few cores serves soon. */
function longestStartFirst(places: readonly Place[]): readonly Place[] {
  const first = places.find(({ role }) => role === 'worker')
  return first === undefined ? places : [first, ...places.filter(place => place !== first)]
}

/** Replaces holders that are to go. A holder serves until its successor is proven; then it drains. */
export function replaceHolders(pass: Pass): void {
  const inTurn = placeInTurn(pass)
  for (const place of pass.places) {
    const { holder, successor } = place
    if (holder === undefined) continue
    // A successor that has been started goes on, even if another place is in turn now.
    const isWanted =
      holder.replaceReason !== undefined || (isOutdated(pass, place) && (place === inTurn || successor !== undefined))
    if (successor === undefined) {
      if (isWanted) startFor(pass, place, inTurn)
    } else if (!isWanted && isServing(successor)) stopAtOnce(pass, successor.name)
    else if (isWanted && isServing(holder) && pass.isProven(successor)) remove(pass, holder)
  }
}

/**
 * Drains processes that are no longer wanted, once all wanted places have a proven holder. Those of a release that is
 * withdrawn serve nobody, so they go at once.
 */
export function removeSurplus(pass: Pass): void {
  const surplus = pass.children.filter(child => isServing(child) && !pass.isWanted(child))
  if (surplus.length === 0) return
  const othersServe = pass.places.every(({ holder }) => pass.isProven(holder))
  for (const child of surplus) {
    if (othersServe || isWithdrawn(pass, child)) remove(pass, child)
  }
}

/** A worker that is not ready has no requests. Drained, it would go on starting, and in mesh mode it would count as serving. */
function remove(pass: Pass, { name, role, state }: ObservedChild): void {
  if (role === 'worker' && state === 'starting') stopAtOnce(pass, name)
  else pass.act({ type: 'drain', child: name })
}

function stopAtOnce(pass: Pass, child: string): void {
  pass.act({ type: 'stop', child, deadlineMs: 0, graceMs: pass.limits.killGraceMs })
}

function isWithdrawn({ desired }: Pass, { role, release }: ObservedChild): boolean {
  return role === 'worker' && desired.releases.some(({ id, workers }) => id === release && workers === 0)
}

function startFor(pass: Pass, place: Place, inTurn: Place | undefined): void {
  const { key, role, release, index } = place
  const restarts = pass.history.restarts[role]
  const due = notBefore(restarts, key)
  pass.lookAgainAt(due)
  // The process that exited early ran older code, which may be fixed by now.
  const isNewCode = place === inTurn && failedBefore(restarts, key, pass.generation)
  if (pass.now < due && !isNewCode) return
  pass.start({ role, release, place: index, generation: pass.generation })
}

function isServing({ state }: ObservedChild): boolean {
  return state === 'starting' || state === 'ready'
}

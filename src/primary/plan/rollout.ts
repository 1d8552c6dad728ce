import type { ObservedChild } from './observed.js'
import type { Pass } from './pass.js'
import type { Place } from './place.js'
import { failedBefore } from './restart-policy.js'

/** How long the next place waits for the replaced worker to drain. A long download must not hold up a reload. */
const DRAIN_PATIENCE_MS = 10_000

/** Whether workers are being brought to a new generation. */
function isUnderWay({ generation, history }: Pass): boolean {
  return generation > history.settled
}

/** The one place whose outdated worker may be replaced now; undefined if none may. */
export function placeInTurn(pass: Pass): Place | undefined {
  const places = pass.workers
  const outdated = places.filter(place => isOutdated(pass, place))
  // A replacement that has begun is finished first.
  const next = outdated.find(({ successor }) => successor !== undefined) ?? outdated[0]
  // The places before it have new workers. All of them have to be ready before the next one is replaced.
  if (next === undefined) return undefined
  const before = places.slice(0, places.indexOf(next))
  if (before.some(({ holder }) => holder?.state !== 'ready')) return undefined
  return pass.children.some(child => isHoldingUp(pass, child, pass.generation)) ? undefined : next
}

/** Whether the worker of a place is of an older generation, or exited early in one: its code may be fixed by now. */
export function isOutdated({ generation, history }: Pass, place: Place): boolean {
  const { role, holder } = place
  if (role === 'balancer') return false
  if (holder === undefined) return failedBefore(history.restarts.worker, place.key, generation)
  return holder.generation < generation
}

/** Whether a reload to this generation still waits for an older worker to drain. */
function isHoldingUp(pass: Pass, child: ObservedChild, generation: number): boolean {
  const { role, state } = child
  const drainingSince = pass.drainingSince(child)
  if (role !== 'worker' || child.generation >= generation) return false
  if (drainingSince === undefined || state === 'exited') return false
  pass.lookAgainAt(drainingSince + DRAIN_PATIENCE_MS)
  return pass.now - drainingSince < DRAIN_PATIENCE_MS
}

/** Ends a reload that is not wanted any more. Workers that are replaced already stay, and no more are. */
export function giveUp(pass: Pass): void {
  const { givenUpTo = 0 } = pass.desired
  if (givenUpTo > Math.max(pass.history.settled, pass.history.abandonedUpTo))
    pass.remember({ abandonedUpTo: givenUpTo })
}

/** Ends the reload once every place has a ready worker of a newer generation and the old ones have drained. */
export function settle(pass: Pass): void {
  const places = pass.workers
  if (!isUnderWay(pass) || places.some(({ holder }) => holder?.state !== 'ready')) return
  // This reload is over even if another one has been requested in the meantime.
  const generation = Math.min(pass.generation, ...places.map(({ holder }) => holder?.generation ?? 0))
  const { settled, abandonedUpTo } = pass.history
  if (generation <= Math.max(settled, abandonedUpTo)) return
  if (pass.children.some(child => isHoldingUp(pass, child, generation))) return
  pass.act({ type: 'settle', generation })
  pass.remember({ settled: generation })
}

/**
 * Ends a reload as failed when a new worker does not become ready or does not last. Nothing more is replaced.
 * @returns whether this loss is such a failure
 */
export function abandonIfFailed(pass: Pass, lost: ObservedChild): boolean {
  const { generation, role } = lost
  const { settled, abandonedUpTo } = pass.history
  // A worker of an earlier reload that failed says nothing about this one.
  if (!isUnderWay(pass) || role !== 'worker' || generation <= Math.max(settled, abandonedUpTo)) return false
  const replaced = pass.workers.filter(({ holder }) => (holder?.generation ?? -1) >= generation).length
  pass.act({ type: 'abandon', child: lost.name, generation, replaced })
  pass.remember({ abandonedUpTo: generation })
  return true
}

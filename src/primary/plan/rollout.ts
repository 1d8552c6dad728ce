import type { ObservedChild } from './observed.js'
import type { Pass, Place } from './pass.js'
import { failedBefore } from './restart-policy.js'

/** How long the next place waits for the worker that was replaced: a long download must not hold up a reload. */
const DRAIN_PATIENCE_MS = 10_000

/** Whether workers are being brought to a new generation. */
function isUnderWay({ generation, history }: Pass): boolean {
  return generation > history.settled
}

/** The one place whose worker of an older generation is replaced now, if it is time for one. */
export function placeInTurn(pass: Pass): Place | undefined {
  const places = pass.places('worker')
  const outdated = places.filter(place => isOutdated(pass, place))
  // What was begun is finished first.
  const next = outdated.find(({ successor }) => successor !== undefined) ?? outdated[0]
  // Those before it are new: each has to be ready before another is touched.
  if (next === undefined) return undefined
  const before = places.slice(0, places.indexOf(next))
  if (before.some(({ holder }) => holder?.state !== 'ready')) return undefined
  return pass.children.some(child => isHoldingUp(pass, child, pass.generation)) ? undefined : next
}

/** Whether its worker is of an older generation, or was when it was lost early: the code may have been mended. */
export function isOutdated({ generation, history }: Pass, { key, role, holder }: Place): boolean {
  if (role === 'balancer') return false
  if (holder === undefined) return failedBefore(history.restarts.worker, key, generation)
  return holder.generation < generation
}

/** Whether it is older than this generation, and has been draining for so short a time that it is waited for. */
function isHoldingUp(pass: Pass, child: ObservedChild, generation: number): boolean {
  const { role, state, drainingSince } = child
  if (role !== 'worker' || child.generation >= generation) return false
  if (drainingSince === undefined || state === 'exited') return false
  pass.lookAgainAt(drainingSince + DRAIN_PATIENCE_MS)
  return pass.now - drainingSince < DRAIN_PATIENCE_MS
}

/** Says so when every place has a ready worker of a newer generation, and nothing of the reload is left. */
export function settle(pass: Pass): void {
  const places = pass.places('worker')
  if (!isUnderWay(pass) || places.some(({ holder }) => holder?.state !== 'ready')) return
  // Another reload may have been asked for meanwhile: this one is over all the same.
  const generation = Math.min(pass.generation, ...places.map(({ holder }) => holder?.generation ?? 0))
  if (generation <= pass.history.settled) return
  if (pass.children.some(child => isHoldingUp(pass, child, generation))) return
  pass.act({ type: 'settle', generation, workers: places.length })
  pass.remember({ settled: generation })
}

/**
 * A reload whose new worker does not come up, or does not last, has failed: nothing more is replaced.
 * @returns whether this loss is such a failure
 */
export function abandonIfFailed(pass: Pass, lost: ObservedChild): boolean {
  const { settled } = pass.history
  if (!isUnderWay(pass) || lost.role !== 'worker' || lost.generation <= settled) return false
  const { generation } = lost
  const replaced = pass.places('worker').filter(({ holder }) => (holder?.generation ?? -1) >= generation).length
  pass.act({ type: 'abandon', child: lost.name, generation, replaced })
  if (generation === pass.generation) pass.abandonGeneration()
  return true
}

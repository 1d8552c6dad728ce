import type { Plan } from './action.js'
import type { Desired, Limits } from './desired.js'
import { countLosses } from './losses.js'
import type { Observed } from './observed.js'
import { Pass } from './pass.js'
import { fillPlaces, removeSurplus, replaceHolders } from './places.js'
import { retireOverMemory } from './memory-limit.js'
import { settle } from './rollout.js'
import { route } from './routing.js'
import { shutDown } from './shutdown-order.js'
import { killStuck, stopDrained } from './deadlines.js'

/**
 * Decides what is to be done now so that what is observed comes to what is desired. Pure: the same arguments give the
 * same plan. Each rule adds its actions, and says when it wants to be asked again.
 * @param now in milliseconds, of the clock that the observed times are of
 */
export function plan(desired: Desired, observed: Observed, limits: Limits, now: number): Plan {
  const pass = new Pass(desired, observed, limits, now)
  countLosses(pass)
  killStuck(pass)
  if (desired.shutdown !== undefined) shutDown(pass, desired.shutdown)
  else {
    fillPlaces(pass)
    retireOverMemory(pass)
    replaceHolders(pass)
    removeSurplus(pass)
    stopDrained(pass)
    settle(pass)
    route(pass)
  }
  return pass.end()
}

import type { Plan } from './action.js'
import type { Desired, PlanLimits } from './desired.js'
import { countLosses, pardonLosses } from './losses.js'
import type { Observed } from './observed.js'
import { Pass } from './pass.js'
import { fillPlaces, removeSurplus, replaceHolders } from './places.js'
import { replaceOverMemory } from './memory-limit.js'
import { giveUp, settle } from './rollout.js'
import { route } from './routing.js'
import { shutDown } from './shutdown-order.js'
import { killStuck, stopDrained } from './stuck-processes.js'

/**
 * Decides which actions bring the observed state closer to the desired state. Pure: the same arguments give the same
 * plan. Each rule adds its actions, and the time at which it has to be applied again.
 * @param now in milliseconds, in the clock of the observed times
 */
export function plan(desired: Desired, observed: Observed, limits: PlanLimits, now: number): Plan {
  const pass = new Pass(desired, observed, limits, now)
  giveUp(pass)
  pardonLosses(pass)
  countLosses(pass)
  killStuck(pass)
  if (desired.shutdown !== undefined) shutDown(pass, desired.shutdown)
  else {
    fillPlaces(pass)
    replaceOverMemory(pass)
    replaceHolders(pass)
    removeSurplus(pass)
    stopDrained(pass)
    settle(pass)
    route(pass)
  }
  return pass.end()
}

import { autoscale, noAutoscaleHistory } from '#src/primary/plan/autoscale.js'
import type { AutoscaleLimits } from '#src/primary/plan/scaling-bounds.js'
import type { Second } from './simulated-pool.js'

/** Decides once a second how many workers are wanted. */
export type Rule = (second: Second, wanted: number, now: number) => { workers: number; reason: string | undefined }

const MIB = 2 ** 20
/** A machine with enough memory. */
const memory = { freeBytes: 8_192 * MIB, totalBytes: 16_384 * MIB }
const WORKER_BYTES = 80 * MIB

/** Outpost's own policy. */
export function ownRule(limits: AutoscaleLimits): Rule {
  let history = noAutoscaleHistory
  return ({ workers }, wanted, now) => {
    const serving = workers.map(worker => ({ ...worker, cpuUse: worker.loopUse, rssBytes: WORKER_BYTES }))
    const decision = autoscale(
      history,
      { workers: serving, waiting: 0, otherCpuUse: 0, ...memory },
      limits,
      wanted,
      now,
    )
    history = decision.history
    return decision
  }
}

/** The defaults that watt's guide "Dynamic Workers" states for its version 1, which is its default. */
const WATT = {
  scaleUpUse: 0.8,
  scaleDownUse: 0.2,
  upWindowMs: 10_000,
  downWindowMs: 60_000,
  cooldownMs: 20_000,
  graceMs: 30_000,
  intervalMs: 60_000,
}

/**
 * The rule of watt, as its guide describes it: one worker more when event loops were busy for 80 % of the last 10 s on
 * average, which is looked at when one of them is; one fewer under 20 % of the last 60 s, looked at once a minute; nothing
 * for 20 s after a change. A worker counts once it has run for 30 s.
 */
export function wattRule({ min, max }: Pick<AutoscaleLimits, 'min' | 'max'>): Rule {
  const uses: Array<{ at: number; use: number }> = []
  let changedAt = -Infinity
  let periodAt = 0
  return ({ workers }, wanted, now) => {
    // Those of the beginning have run for long.
    const counted = workers.filter(({ readyAt }) => readyAt === 0 || now - readyAt >= WATT.graceMs)
    for (const { loopUse } of counted) uses.push({ at: now, use: loopUse })
    while (uses[0] !== undefined && now - uses[0].at >= WATT.downWindowMs) uses.shift()
    const isPeriodic = now - periodAt >= WATT.intervalMs
    if (isPeriodic) periodAt = now
    const isTriggered = counted.some(({ loopUse }) => loopUse > WATT.scaleUpUse)
    const mean = (windowMs: number): number => {
      const recent = uses.filter(({ at }) => now - at < windowMs)
      return recent.reduce((sum, { use }) => sum + use, 0) / Math.max(1, recent.length)
    }
    let next = wanted
    if ((isPeriodic || isTriggered) && now - changedAt >= WATT.cooldownMs) {
      if (mean(WATT.downWindowMs) < WATT.scaleDownUse) next = Math.max(min, wanted - 1)
      else if (mean(WATT.upWindowMs) >= WATT.scaleUpUse) next = Math.min(max, wanted + 1)
    }
    if (next !== wanted) changedAt = now
    return { workers: next, reason: undefined }
  }
}

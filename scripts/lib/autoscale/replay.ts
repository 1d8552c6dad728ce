import type { Recording } from './recordings.js'
import type { Rule } from './rules.js'
import { SimulatedPool, usualPool, type PoolModel } from './simulated-pool.js'

/** A change of the wanted number. */
interface Change {
  /** The second of the recording. */
  readonly second: number
  readonly from: number
  readonly to: number
}

export interface Replayed {
  /** Seconds in which more than 5 % of the requests took longer than the target. */
  readonly secondsOver: number
  /** Seconds times processes, those that start or leave included. */
  readonly workerSeconds: number
  readonly changes: readonly Change[]
  /** The number of workers wanted at the end of each second. */
  readonly wanted: readonly number[]
  /** The lines that the rule gave as its reasons, with the second. */
  readonly reasons: ReadonlyArray<{ second: number; reason: string }>
}

/** How long an answer may take. */
export const TARGET_MS = 200
const TARGET_SHARE = 0.95

/** A heartbeat is up to a second old when the rule sees it; here it always is. */
const HEARTBEAT_S = 1

/** Plays a recording to simulated workers, of which the rule decides how many run. @param workers at the beginning */
export function replay({ perSecond }: Recording, rule: Rule, workers: number, model: PoolModel = usualPool): Replayed {
  const pool = new SimulatedPool(model, workers)
  const seen: Array<ReturnType<SimulatedPool['second']>> = []
  let current = workers
  let [secondsOver, workerSeconds] = [0, 0]
  const changes: Change[] = []
  const wanted: number[] = []
  const reasons: Array<{ second: number; reason: string }> = []
  for (const [index, rate] of perSecond.entries()) {
    const second = pool.second(rate)
    seen.push(second)
    if (isOver(second.tookMs)) secondsOver += 1
    workerSeconds += second.processes
    const told = seen.length > HEARTBEAT_S ? seen.shift() : undefined
    if (told !== undefined) {
      const { workers: next, reason } = rule(told, current, pool.now)
      if (reason !== undefined) reasons.push({ second: index + 1, reason })
      if (next !== current) {
        changes.push({ second: index + 1, from: current, to: next })
        current = next
        pool.scaleTo(next)
      }
    }
    wanted.push(current)
  }
  return { secondsOver, workerSeconds, changes, wanted, reasons }
}

function isOver(tookMs: readonly number[]): boolean {
  const late = tookMs.filter(ms => ms > TARGET_MS).length
  return late > (1 - TARGET_SHARE) * tookMs.length
}

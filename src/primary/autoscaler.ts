import { memoryAllowed, type Memory } from '../resources/control-group.js'
import { autoscale, noAutoscaleHistory, type AutoscaleDecision } from './plan/autoscale.js'
import type { AutoscaleLimits } from './plan/scaling-bounds.js'
import type { Child } from './processes/child.js'
import { Standstill } from './standstill.js'

/** A worker that has sent nothing for this long has a busy event loop: it sends a heartbeat once a second. */
const OVERDUE_MS = 2_500

export type ReportingChild = Pick<Child, 'name' | 'role' | 'state' | 'vitals' | 'heardAt'>

/** Passes the reports of the processes to the policy, until somebody fixes the number of workers. */
export class Autoscaler {
  #history = noAutoscaleHistory
  #isFixed: boolean
  readonly #standstill = new Standstill()

  constructor(
    private limits: AutoscaleLimits,
    private readonly memory: () => Memory = memoryAllowed,
  ) {
    this.#isFixed = limits.min === limits.max
  }

  /** How many requests one worker may have in flight from now on. */
  setPlaces(places: number): void {
    this.limits = { ...this.limits, places }
  }

  /** From now on the number of workers is somebody else's decision. */
  fix(): void {
    this.#isFixed = true
  }

  /**
   * To be called once a second.
   * @param wanted how many workers have been wanted so far
   * @param now in the clock of `performance.now()`
   * @returns how many are wanted from now on, and why; undefined while nothing is decided
   */
  look(
    children: readonly ReportingChild[],
    wanted: number,
    now: number,
  ): Omit<AutoscaleDecision, 'history'> | undefined {
    if (this.#isFixed) return undefined
    if (this.#standstill.isOver(now)) return undefined
    // Before its first heartbeat nothing is known of a process.
    const known = children.filter(({ state, vitals }) => state === 'ready' && vitals.rssBytes > 0)
    const workers = known
      .filter(({ role }) => role === 'worker')
      .map(({ name, vitals, heardAt }) => ({
        ...vitals,
        name,
        loopUse: now - heardAt >= OVERDUE_MS ? 1 : vitals.loopUse,
      }))
    const others = known.filter(({ role }) => role !== 'worker')
    const otherCpuUse = others.reduce((sum, { vitals }) => sum + vitals.cpuUse, 0)
    const waiting = known.reduce((sum, { vitals }) => sum + vitals.waiting, 0)
    const facts = { workers, waiting, otherCpuUse, ...this.memory() }
    const { history, ...decided } = autoscale(this.#history, facts, this.limits, wanted, now)
    this.#history = history
    return decided
  }
}

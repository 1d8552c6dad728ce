import type { Child } from './processes/child.js'
import { awake, sleep, woken, type SleepDecision, type SleepState } from './plan/sleep.js'
import { Standstill } from './standstill.js'

type AwakeChild = Pick<Child, 'name' | 'vitals'>

/** Ends all workers of an instance that nobody uses, and has one started when it is used again. */
export class Sleeper {
  #state: SleepState = awake(performance.now())
  readonly #standstill = new Standstill()

  /**
   * @param afterMs undefined: workers always run
   * @param onChange called when the instance falls asleep or wakes up. @param reason one line
   */
  constructor(
    private afterMs: number | undefined,
    private readonly onChange: (reason: string) => void,
  ) {}

  get isAsleep(): boolean {
    return this.#state.asleep
  }

  /** Whether the instance sleeps, and what keeps it awake now; undefined if it never sleeps. */
  get facts(): { asleep: boolean; heldBy?: string } | undefined {
    if (this.afterMs === undefined) return undefined
    const { asleep, heldBy } = this.#state
    return { asleep, ...(!asleep && heldBy !== undefined && { heldBy }) }
  }

  /**
   * To be called once a second.
   * @param other what needs workers beside requests, in words
   * @param now in the clock of `performance.now()`
   */
  look(children: readonly AwakeChild[], other: string | undefined, now: number): void {
    if (this.afterMs === undefined) return
    if (this.#standstill.isOver(now)) this.#state = { ...this.#state, activeAt: now }
    const processes = new Map(children.map(({ name, vitals }) => [name, vitals]))
    this.#take(sleep(this.#state, { processes, other }, this.afterMs, now))
  }

  /** Something needs a worker now. */
  wake(why: string): void {
    if (this.afterMs !== undefined) this.#take(woken(this.#state, why, performance.now()))
  }

  /** From now on the number of workers is somebody else's decision. */
  fix(): void {
    this.wake('the number of workers was set')
    this.afterMs = undefined
  }

  #take({ state, reason }: SleepDecision): void {
    this.#state = state
    if (reason !== undefined) this.onChange(reason)
  }
}

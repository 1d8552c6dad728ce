import type { IncomingMessage } from 'node:http'
import { Deadlines, type Waiting } from './deadlines.js'
import { WaitingRoom, type Waiter } from './waiting-room.js'
import type { BalancerOptions } from '../options.js'
import { OutlierDetection } from '../targets/outlier-detection.js'
import { RetryBudget } from './retry.js'
import type { Target } from '../targets/target.js'
import type { TargetPool } from '../targets/target-pool.js'

/** What can be taken to a target: a request, or a connection that is to be upgraded. */
export interface Journey extends Waiter {
  /** Targets that have failed it. */
  readonly tried: ReadonlySet<Target> | undefined
  readonly request: IncomingMessage
  /** It begins something that lasts, as an upgrade does: nothing for a target that is on its way out. */
  readonly lasting: boolean
  /** @param bound the request belongs to this target */
  takeTo(target: Target, bound: boolean): void
}

/** A journey that waits for its answer, or for its body. */
export interface AwaitingAnswer extends Waiting {
  waitOver(): void
}

/** Looks at an exchange within the shorter of the times that it may stand still. */
const LOOKS = 4

/** Finds a target for every request, or a place in the waiting room; keeps what all requests share. */
export class Dispatcher {
  readonly room: WaitingRoom
  readonly outliers: OutlierDetection
  readonly retryBudget: RetryBudget
  /** Requests that were sent and have no answer yet. */
  readonly awaiting: Deadlines<AwaitingAnswer>
  /** Until the next look at requests whose body is on its way, or that were sent once more. */
  readonly looks: Deadlines<AwaitingAnswer>
  /** Answers that begin from now on end their connection. */
  closing = false

  constructor(
    readonly pool: TargetPool,
    readonly options: BalancerOptions,
  ) {
    this.room = new WaitingRoom(options, () => pool.open)
    this.outliers = new OutlierDetection(pool, options)
    this.retryBudget = new RetryBudget(options.retryBudgetRatio, options.retryBudgetFloor)
    const { upstreamTimeoutMs, bodyIdleMs } = options
    this.awaiting = new Deadlines(upstreamTimeoutMs, exchange => exchange.waitOver())
    this.looks = new Deadlines(Math.min(upstreamTimeoutMs, bodyIdleMs) / LOOKS, exchange => exchange.waitOver())
    pool.on('available', () => this.room.admit())
  }

  dispatch(journey: Journey): void {
    const owner = this.#ownerOf(journey)
    if (owner !== undefined) {
      if (owner.bound < this.options.maxBound) journey.takeTo(owner, true)
      else journey.giveUp('OVERLOADED')
      return
    }
    const picked = this.pool.pick(journey.tried)
    if (typeof picked === 'string') this.room.enter(journey, picked)
    else journey.takeTo(picked, false)
  }

  #ownerOf({ request, tried, lasting }: Journey): Target | undefined {
    const id = this.options.affinity(request)
    const target = id === undefined ? undefined : this.pool.get(id)
    if (target === undefined || target.gone || tried?.has(target) === true) return undefined
    return lasting && target.state === 'draining' ? undefined : target
  }

  stop(): void {
    this.room.close()
    this.outliers.stop()
    this.awaiting.stop()
    this.looks.stop()
  }
}

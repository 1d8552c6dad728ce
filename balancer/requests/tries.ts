import type { BalancerErrorCode } from '../errors.js'
import type { Target } from '../targets/target.js'
import { judgeRetry, type TryFailure, type RetryBudget } from './retry.js'

/** The failed tries of one request. Created when the first try fails. */
export class Tries {
  readonly #targets = new Set<Target>()
  readonly #lost: Target[] = []
  #failed = 0
  /** Tries that broke off although their target still runs, as far as is known. */
  #resets = 0

  /**
   * @param retries tries beyond the first that are allowed
   * @param targetsAtArrival how many targets there were when the request arrived
   */
  constructor(
    private readonly budget: RetryBudget,
    private readonly retries: number,
    private readonly targetsAtArrival: number,
  ) {}

  /** Targets that have failed the request. */
  get targets(): ReadonlySet<Target> {
    return this.#targets
  }

  /** Targets that died or hung while they had the request. */
  get lost(): readonly Target[] {
    return this.#lost
  }

  /** Tries that were lost, without those that another request ended. */
  get #losses(): number {
    return this.#resets + this.#lost.filter(({ ending }) => ending !== 'explained').length
  }

  /**
   * Records a failed try.
   * @param repeatable the request may be sent twice
   * @returns whether the request may be tried again
   */
  mayRepeat(target: Target, failure: TryFailure, repeatable: boolean): boolean {
    const { retries } = this
    const targetGone = target.gone
    if (failure !== 'down' && !targetGone) this.#failed += 1
    // An ejected target still runs: other requests failed there. If this request kills it later, the loss is counted then.
    if (failure !== 'connect' && target.state !== 'ejected') {
      if (failure === 'down' || targetGone) this.#lost.push(target)
      else this.#resets += 1
    }
    const verdict = judgeRetry({ failure, repeatable, targetGone, failedTries: this.#failed, retries })
    // All targets may have been killed together. If their replacements die too, the request is the likely cause.
    if (verdict === 'no' || this.#losses > Math.max(retries, this.targetsAtArrival)) return false
    if (verdict === 'budget' && !this.budget.take(performance.now())) return false
    this.#targets.add(target)
    return true
  }
}

/** The answer to a request whose last try failed. */
export const ANSWER_TO: Record<TryFailure, BalancerErrorCode> = {
  connect: 'NO_TARGET_READY',
  reset: 'UPSTREAM_BROKEN',
  timeout: 'UPSTREAM_TIMEOUT',
  down: 'UPSTREAM_BROKEN',
}

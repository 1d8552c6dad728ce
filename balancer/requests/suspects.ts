import type { IncomingMessage } from 'node:http'
import type { BalancerErrorCode } from '../errors.js'
import type { Target } from '../targets/target.js'
import type { TargetPool } from '../targets/target-pool.js'
import { Deadlines, type HasDeadline } from './deadlines.js'
import type { FatalRequests } from './fatal-requests.js'

/** A request whose target died or hung. The request may be the reason. It may be tried once more. */
export interface Suspect extends HasDeadline {
  readonly request: IncomingMessage
  /** The targets that have failed it. */
  readonly tried: ReadonlySet<Target> | undefined
  /** Those of them that died or hung while they had it. */
  readonly lost: readonly Target[]
  /** It is tried as any other request. */
  admitted(): void
  takeTo(target: Target, bound: boolean, alone: boolean): void
  giveUp(code: BalancerErrorCode): void
}

/** The primary tells why a process ended. A suspect waits this long for it. */
const WORD_MS = 1_000

/**
 * - `wait`: until it is known why its targets ended, or another balancer finds the reason
 * - `blame`: it is the reason, and not tried again
 * - `free`: others ended its targets
 * - `alone`: it may be the reason, and is tried once more on its own
 */
type Verdict = 'wait' | 'blame' | 'free' | 'alone'

/**
 * Finds the requests that end their targets, among all that were there when it happened. While the end of a target is
 * unexplained, each request that it had is tried again on its own. A target has one such second try at a time. A request
 * that ends its second target is the reason for both ends, and the others are free again.
 */
export class Suspects {
  /** Waiting for the report of why their targets ended. */
  readonly #forWord: Deadlines<Suspect>
  /** Waiting for a target that has no second try. */
  readonly #forTurn: Deadlines<Suspect>
  #admitting = false
  /** Other balancers send requests to the same targets. One of theirs may have ended a target. */
  #hasOthers = false

  constructor(
    private readonly pool: TargetPool,
    private readonly fatal: FatalRequests,
    holdMs: number,
    private readonly onExplained: (target: Target) => void,
  ) {
    this.#forWord = new Deadlines(WORD_MS, suspect => this.#carryOut(suspect, this.#verdictOn(suspect, 'fault')))
    this.#forTurn = new Deadlines(holdMs, suspect => {
      // If another request had ended the target, it would have been found by now.
      if (this.pool.open) suspect.admitted()
      else suspect.giveUp('NO_TARGET_READY')
    })
  }

  get size(): number {
    return this.#forWord.size + this.#forTurn.size
  }

  enter(suspect: Suspect): void {
    this.#carryOut(suspect, this.#verdictOn(suspect))
  }

  shareTargetsAmong(balancers: number): void {
    this.#hasOthers = balancers > 1
  }

  leave(suspect: Suspect): void {
    if (!this.#forWord.delete(suspect)) this.#forTurn.delete(suspect)
  }

  /** Called when more is known of how targets ended. */
  review(): void {
    this.#reviewQueue(this.#forWord, 'wait')
    this.#reviewQueue(this.#forTurn, 'alone')
  }

  /** Called when a target may be free for a second try. */
  admit(): void {
    if (this.#admitting || this.#forTurn.size === 0) return
    this.#admitting = true
    for (const suspect of this.#forTurn.items()) {
      const target = this.pool.pickAlone(suspect.tried, suspect.request)
      if (target === undefined) break
      if (this.#forTurn.delete(suspect)) suspect.takeTo(target, false, true)
    }
    this.#admitting = false
  }

  stop(): void {
    for (const queue of [this.#forWord, this.#forTurn]) {
      const suspects = queue.items()
      queue.stop()
      for (const suspect of suspects) suspect.giveUp('NO_TARGET_READY')
    }
  }

  /** A suspect that stays in its queue keeps its deadline. */
  #reviewQueue(queue: Deadlines<Suspect>, staying: Verdict): void {
    for (const suspect of queue.items()) {
      const verdict = this.#verdictOn(suspect)
      if (verdict !== staying && queue.delete(suspect)) this.#carryOut(suspect, verdict)
    }
  }

  /** @param assumed the end of a target whose end is still unknown when the wait is over */
  #verdictOn(suspect: Suspect, assumed?: 'fault'): Verdict {
    const ends = suspect.lost.map(target => target.ending ?? assumed)
    const faults = ends.filter(ending => ending === 'fault').length
    const unknown = ends.filter(ending => ending === undefined).length
    const allowance = this.fatal.allowanceOf(suspect.request, performance.now())
    if (faults >= allowance) return this.#mayBeExplained(suspect, assumed) ? 'wait' : 'blame'
    if (faults + unknown >= allowance) return 'wait'
    return faults + unknown === 0 ? 'free' : 'alone'
  }

  #mayBeExplained({ request }: Suspect, assumed: 'fault' | undefined): boolean {
    return assumed === undefined && this.#hasOthers && !this.fatal.has(request)
  }

  #carryOut(suspect: Suspect, verdict: Verdict): void {
    if (verdict === 'wait') this.#forWord.add(suspect)
    else if (verdict === 'free') suspect.admitted()
    else if (verdict === 'alone') this.#tryAlone(suspect)
    else this.#blame(suspect)
  }

  #tryAlone(suspect: Suspect): void {
    const target = this.pool.pickAlone(suspect.tried, suspect.request)
    if (target === undefined) this.#forTurn.add(suspect)
    else suspect.takeTo(target, false, true)
  }

  #blame(suspect: Suspect): void {
    let targets = 0
    for (const target of suspect.lost) {
      if (target.ending === 'killed' || target.ending === 'explained') continue
      targets += 1
      target.explainEnd()
      this.onExplained(target)
    }
    this.fatal.record(suspect.request, targets, performance.now())
    suspect.giveUp('UPSTREAM_BROKEN')
    this.review()
  }
}

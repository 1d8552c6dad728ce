import type { Logger } from '../../process/log.js'
import type { Child } from '../processes/child.js'
import { RestartPolicy } from './restart-policy.js'
import type { Roster } from './roster.js'
import type { Slot } from './slot.js'

/** Decides when a place whose process has died is filled again, and says so. */
export class Vacancies {
  readonly #policies = { worker: new RestartPolicy<Slot>(), balancer: new RestartPolicy<Slot>() }

  constructor(
    private readonly roster: Roster,
    private readonly log: Logger,
  ) {}

  /** The place was `child`'s until now. */
  arose(slot: Slot, child: Child): void {
    const decision = this.#policies[child.role].exited(slot, child.servedMs, performance.now())
    slot.notBefore = decision.kind === 'now' ? 0 : performance.now() + decision.delayMs
    const facts = { child: child.name, pid: child.pid, ending: child.ending, servedMs: Math.round(child.servedMs) }
    if (decision.kind === 'now') this.log.warn(facts, 'it died and is replaced')
    else if (decision.kind === 'after') {
      this.log.error(
        { ...facts, nextTryMs: decision.delayMs, lastLines: child.lastLines },
        'it died before it was of use',
      )
    } else {
      // They run the same code: one message says it for all.
      const known = this.roster.slotsFor(slot.role).some(({ parked }) => parked)
      slot.parked = true
      if (known) return
      this.log.error({ ...facts, lastLines: child.lastLines }, 'crash loop: places stay empty, one try a minute')
    }
  }

  /** When the next of the places that wait may be filled, as a time of `performance.now()`. */
  get nextDue(): number | undefined {
    const now = performance.now()
    const due = this.roster.slots.map(slot => slot.notBefore).filter(at => at > now)
    return due.length === 0 ? undefined : Math.min(...due)
  }
}

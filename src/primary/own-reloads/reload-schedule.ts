import { scheduleOf, type Schedule } from '../../config/schedule.js'
import type { Logger } from '../../process/log.js'
import type { Service } from '../../process/service.js'
import { ClockWatch } from '../cron/clock-watch.js'
import { planCron } from '../plan/cron.js'
import type { OwnReloads } from './own-reloads.js'

/** The clock on the wall may be set, and the machine may sleep. */
const LOOK_MS = 30_000
const ID = 'reload'

/** Reloads the app at the times of RELOAD_CRON. */
export class ReloadSchedule implements Service {
  readonly #schedule: Schedule | undefined
  #dueAt = Infinity
  #look: NodeJS.Timeout | undefined
  readonly #clock = new ClockWatch()

  /**
   * @param text undefined: never
   * @param now the clock on the wall, in milliseconds since 1970
   */
  constructor(
    text: string | undefined,
    timeZone: string,
    private readonly reloads: Pick<OwnReloads, 'ask' | 'areUnderWay'>,
    private readonly log: Logger,
    private readonly now: () => number = Date.now,
  ) {
    this.#schedule = text === undefined ? undefined : scheduleOf(text, timeZone)
  }

  start(): Promise<void> {
    this.#dueAt = this.#schedule?.next(this.now()) ?? Infinity
    this.#pass()
    return Promise.resolve()
  }

  stop(): Promise<void> {
    clearTimeout(this.#look)
    return Promise.resolve()
  }

  #pass(): void {
    const schedule = this.#schedule
    if (schedule === undefined) return
    const now = this.now()
    if (this.#clock.wasSetBack(now)) this.#dueAt = schedule.next(now)
    for (const action of planCron([{ id: ID, dueAt: this.#dueAt, runs: this.reloads.areUnderWay }], now)) {
      this.#dueAt = schedule.next(now)
      if (action.type === 'run') this.reloads.ask(`RELOAD_CRON is ${schedule.text}`)
      else this.log.warn(`app is not reloaded by RELOAD_CRON: ${REASONS[action.reason]}`)
    }
    this.#look = setTimeout(() => this.#pass(), Math.min(LOOK_MS, Math.max(1, this.#dueAt - this.now())))
  }
}

const REASONS = { overlap: 'a reload is under way', missed: 'the time was missed' }

/** A cron job as the plan sees it. Times in milliseconds since 1970: a schedule is of the clock on the wall. */
export interface ObservedJob {
  readonly id: string
  readonly dueAt: number
  /** Its last run has not ended. */
  readonly runs: boolean
}

export type CronAction =
  | { readonly type: 'run'; readonly id: string }
  /** `overlap`: its last run goes on. `missed`: the program did not run, or slept, when its time came. */
  | { readonly type: 'skip'; readonly id: string; readonly reason: 'overlap' | 'missed' }

/** A run that comes so late is none: the machine has slept, or its clock was set. */
export const MISSED_MS = 60_000

/** Decides about the jobs whose time has come. Each gets one action and then its next time, so nothing is made up for. */
export function planCron(jobs: readonly ObservedJob[], now: number): CronAction[] {
  return jobs.flatMap(({ id, dueAt, runs }): CronAction[] => {
    if (now < dueAt) return []
    if (now - dueAt > MISSED_MS) return [{ type: 'skip', id, reason: 'missed' }]
    return runs ? [{ type: 'skip', id, reason: 'overlap' }] : [{ type: 'run', id }]
  })
}

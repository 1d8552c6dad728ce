import { Cron } from 'croner'

/** The times of a crontab expression. */
export interface Schedule {
  /** As it was written. */
  readonly text: string
  readonly timeZone: string
  /** The first time after this one, in milliseconds since 1970. */
  next(after: number): number
}

/**
 * @param text five fields, or a name like `@daily`
 * @param timeZone an IANA name, e.g. Europe/Berlin
 * @throws {Error} it is none, or its time never comes
 */
export function scheduleOf(text: string, timeZone: string): Schedule {
  const cron = new Cron(text, { mode: '5-part', timezone: timeZone, paused: true })
  if (cron.nextRun() === null) throw new Error('no such time ever comes')
  return { text, timeZone, next: after => cron.nextRun(new Date(after))?.getTime() ?? Infinity }
}

/** Whether Node knows the time zone. */
export function isTimeZone(name: string): boolean {
  // The default. Asking Intl would load its data at each start.
  if (name === 'UTC') return true
  try {
    new Intl.DateTimeFormat('en', { timeZone: name })
    return true
  } catch {
    return false
  }
}

/** Splits a line of a crontab into its schedule and its command. */
export function crontabLine(line: string): { schedule: string; command: string } | undefined {
  const [, schedule, command] = /^\s*(@\S+|(?:\S+\s+){4}\S+)\s+(\S.*)$/s.exec(line) ?? []
  return schedule === undefined || command === undefined ? undefined : { schedule, command }
}

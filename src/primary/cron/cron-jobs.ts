import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import * as z from 'zod'
import { procfileOf } from '../../config/procfile.js'
import { crontabLine, scheduleOf, type Schedule } from '../../config/schedule.js'
import { commandLineOf, type CommandLine } from '../beside/command-line.js'

/** A command that runs at its times. */
export interface CronJob {
  /** The same in every instance of the app. */
  readonly id: string
  readonly name: string
  readonly schedule: Schedule
  readonly line: CommandLine
  /** The longest time of a run. */
  readonly timeoutMs: number
}

export interface CronDefaults {
  readonly timeZone: string
  readonly timeoutMs: number
}

const MAX_JOBS = 32

const entrySchema = z.strictObject({
  name: z
    .string()
    .regex(/^[A-Za-z0-9_.-]{1,64}$/)
    .optional(),
  schedule: z.string(),
  command: z.string(),
  timeZone: z.string().optional(),
  timeout: z
    .number()
    .positive()
    .max(7 * 86_400)
    .optional()
    .describe('seconds'),
})
type Entry = z.infer<typeof entrySchema>

/** The `cron:` lines of a folder's Procfile, then the entries of `outpost.cron` in its package.json. */
export function cronJobsIn(folder: string, defaults: CronDefaults): { jobs: CronJob[]; faults: string[] } {
  const jobs: CronJob[] = []
  const faults: string[] = []
  const lines = procfileOf(folder).filter(({ name }) => name === 'cron')
  const all = [...lines.map(({ command }): unknown => command), ...entriesOf(folder, faults)]
  for (const [index, one] of all.entries()) {
    try {
      const job = jobOf(entryOf(one), `cron.${index + 1}`, defaults)
      if (jobs.some(({ id, name }) => id === job.id || name === job.name))
        throw new Error('the same job exists already')
      if (jobs.length === MAX_JOBS) throw new Error(`only ${MAX_JOBS} jobs are allowed`)
      jobs.push(job)
    } catch (error) {
      faults.push(`${shown(one)}: ${messageOf(error)}`)
    }
  }
  return { jobs, faults }
}

function entriesOf(folder: string, faults: string[]): unknown[] {
  let text: string
  try {
    text = readFileSync(join(folder, 'package.json'), 'utf8')
  } catch {
    return []
  }
  try {
    const { outpost } = JSON.parse(text) as { outpost?: { cron?: unknown } }
    if (outpost?.cron === undefined) return []
    if (Array.isArray(outpost.cron)) return outpost.cron
    faults.push('outpost.cron in package.json is not an array')
  } catch {
    // Node reports a package.json that is no JSON.
  }
  return []
}

/** @throws {Error} it is neither a line of a crontab nor an object with its parts */
function entryOf(given: unknown): Entry {
  if (typeof given !== 'string') return entrySchema.parse(given)
  const line = crontabLine(given)
  if (line === undefined) throw new Error('the command has no schedule of five fields before it')
  return line
}

function jobOf(
  { name, schedule, command, timeZone, timeout }: Entry,
  standIn: string,
  defaults: CronDefaults,
): CronJob {
  const line = commandLineOf(command)
  if (line === undefined) throw new Error('a quote is not closed, or the command is missing')
  const hash = createHash('sha256').update(`${schedule}\n${command}`).digest('hex').slice(0, 16)
  return {
    id: name ?? hash,
    name: name ?? standIn,
    schedule: scheduleOf(schedule, timeZone ?? defaults.timeZone),
    line,
    timeoutMs: timeout === undefined ? defaults.timeoutMs : timeout * 1_000,
  }
}

/** Variables before a command may be secrets. */
function shown(given: unknown): string {
  if (typeof given === 'string') return given.replace(/\b([A-Za-z_]\w*)=('[^']*'|"[^"]*"|\\.|[^\s'"\\])+/g, '$1=…')
  const { name, schedule } = (given ?? {}) as Partial<Entry>
  return name ?? schedule ?? 'an entry'
}

function messageOf(error: unknown): string {
  if (!(error instanceof z.ZodError)) return (error as Error).message
  return error.issues.map(({ path, message }) => `${path.join('.')} ${message}`.trim()).join('; ')
}

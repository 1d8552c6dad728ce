import type { CronStatus } from '../../control/protocol.js'
import type { Logger } from '../../process/log.js'
import type { Service } from '../../process/service.js'
import type { ReleasePlace } from '../beside/side-processes.js'
import type { ShutdownClock } from '../host/shutdown-clock.js'
import { planCron, type CronAction } from '../plan/cron.js'
import { ClockWatch } from './clock-watch.js'
import { CronHistory, type Past } from './cron-history.js'
import { cronJobsIn, type CronDefaults, type CronJob } from './cron-jobs.js'
import { CronRun, type RunResult } from './cron-run.js'
import type { RunLease } from './run-lease.js'

export interface CronRunnerOptions {
  /** Undefined: the app has no jobs, or they are off. */
  placeOf(release: string): ReleasePlace | undefined
  defaults: CronDefaults
  lease: RunLease
  /** The file with the results of the last runs; undefined: none is kept. */
  historyFile?: string
  /** Path of the named pipe whose end stops the runs. */
  lifeline: string
  shutdown: ShutdownClock
  log: Logger
  /** The clock on the wall, in milliseconds since 1970. */
  now?: () => number
  /** A line that a run has printed. @param name of the job */
  print(name: string, line: string): void
}

/** The clock on the wall may be set, and the machine may sleep. */
const LOOK_MS = 30_000

/** Runs the jobs of the live release at their times. */
export class CronRunner implements Service {
  readonly #running = new Map<string, CronRun>()
  readonly #ended = new Set<Promise<void>>()
  readonly #history: CronHistory
  #jobs: Array<CronJob & { dueAt: number }> = []
  #place: ReleasePlace | undefined
  #followed: string | undefined
  #look: NodeJS.Timeout | undefined
  readonly #clock = new ClockWatch()
  #stopped: Promise<void> | undefined

  readonly #now: () => number

  constructor(private readonly options: CronRunnerOptions) {
    this.#now = options.now ?? Date.now
    this.#history = new CronHistory(options.historyFile)
  }

  stop(): Promise<void> {
    this.#stopped ??= this.#stop()
    return this.#stopped
  }

  /** The jobs are those of this release from now on. Runs under way go on. */
  follow(release: string, generation: number): void {
    const key = `${release}/${generation}`
    if (this.#followed === key || this.#stopped !== undefined) return
    this.#followed = key
    this.#place = this.options.placeOf(release)
    const { jobs, faults } = this.#place === undefined ? NONE : cronJobsIn(this.#place.cwd, this.options.defaults)
    for (const fault of faults) this.options.log.error(`cron job is not run: ${fault}`)
    const now = this.#now()
    const before = new Map(this.#jobs.map(job => [job.id, job]))
    this.#jobs = jobs.map(job => {
      const known = before.get(job.id)
      // A time that has just come is not lost by a deploy.
      const isSame = known?.schedule.text === job.schedule.text && known.schedule.timeZone === job.schedule.timeZone
      return { ...job, dueAt: isSame ? known.dueAt : job.schedule.next(now) }
    })
    this.#history.follow(jobs.map(({ id }) => id))
    this.#pass()
  }

  /** The name of a job that runs. */
  get runningJob(): string | undefined {
    return this.#jobs.find(({ id }) => this.#running.has(id))?.name
  }

  get status(): CronStatus[] {
    return this.#jobs.map(({ id, name, schedule, line, dueAt }) => {
      const run = this.#running.get(id)
      return {
        name,
        schedule: schedule.text,
        timeZone: schedule.timeZone,
        command: line.words.join(' '),
        next: new Date(dueAt).toISOString(),
        ...(run && { running: { since: new Date(run.startedAt).toISOString(), ...(run.pid && { pid: run.pid }) } }),
        runs: [...this.#history.of(id)],
      }
    })
  }

  async #stop(): Promise<void> {
    clearTimeout(this.#look)
    const { cutAt } = this.options.shutdown.begin()
    for (const run of this.#running.values()) run.end('the program stops', Math.max(0, cutAt - performance.now()))
    await Promise.all(this.#ended)
    this.options.lease.stop()
  }

  #pass(): void {
    clearTimeout(this.#look)
    if (this.#stopped !== undefined || this.#jobs.length === 0) return
    const now = this.#now()
    if (this.#clock.wasSetBack(now)) for (const job of this.#jobs) job.dueAt = job.schedule.next(now)
    const observed = this.#jobs.map(({ id, dueAt }) => ({ id, dueAt, runs: this.#running.has(id) }))
    for (const action of planCron(observed, now)) {
      const job = this.#jobs.find(({ id }) => id === action.id)
      if (job !== undefined) this.#carryOut(job, action, now)
    }
    const next = Math.min(...this.#jobs.map(({ dueAt }) => dueAt))
    this.#look = setTimeout(() => this.#pass(), Math.min(LOOK_MS, Math.max(1, next - this.#now())))
  }

  #carryOut(job: CronJob & { dueAt: number }, action: CronAction, now: number): void {
    const { dueAt } = job
    job.dueAt = job.schedule.next(now)
    if (action.type === 'skip') {
      const why = action.reason === 'overlap' ? 'the last run is still under way' : 'the time was missed'
      this.options.log.warn({ job: job.name, due: new Date(dueAt).toISOString() }, `cron job is skipped: ${why}`)
      this.#keep(job.id, { at: new Date(now).toISOString(), ms: 0, result: `skipped: ${why}` })
      return
    }
    const run = this.#runOf(job)
    this.#running.set(job.id, run)
    const ended = run.result(job.id, dueAt).then(result => {
      this.#running.delete(job.id)
      this.#ended.delete(ended)
      this.#tell(job, run, result)
    })
    this.#ended.add(ended)
  }

  #runOf({ name, line, timeoutMs }: CronJob): CronRun {
    const { lifeline, lease } = this.options
    const place = this.#place
    return new CronRun({
      name,
      timeoutMs,
      lifeline,
      lease,
      launch: () => ({ words: line.words, cwd: place?.cwd ?? '/', env: { ...place?.env(0), ...line.env } }),
      print: text => this.options.print(name, text),
    })
  }

  #tell({ id, name }: CronJob, run: CronRun, result: RunResult | undefined): void {
    const { log } = this.options
    if (result === undefined) return log.debug({ job: name }, 'cron job is run by another instance')
    const { ending, cut, succeeded, lastLines } = result
    const ms = Math.round(run.ranMs)
    const text = cut === undefined ? ending : `${ending}: ${cut}`
    this.#keep(id, { at: new Date(run.startedAt).toISOString(), ms, result: text })
    if (succeeded) log.info({ job: name, ms }, 'cron job finished')
    else log.error({ job: name, ms, ending: text, lastLines }, 'cron job failed')
  }

  #keep(id: string, past: Past): void {
    try {
      this.#history.add(id, past)
    } catch (error) {
      this.options.log.warn({ err: error }, 'cron history cannot be written')
    }
  }
}

const NONE = { jobs: [], faults: [] }

import { setTimeout as sleep } from 'node:timers/promises'
import { PREVIEW, previewTokenOf } from '#balancer/contract/preview-token.js'
import { ControlError, type Deployed, type DeployProgress, type DeployReport } from '../../control/protocol.js'
import type { Logger } from '../../process/log.js'
import { p99Of, type SideFigures } from '../plan/bake-verdict.js'
import type { Stage } from '../plan/deployment.js'
import { routedInTime } from '../traffic/edge-runner.js'
import type { Fault } from './fault.js'
import { LateRecord } from './late-record.js'
import { changedFiles, type ChangedFiles } from './release-marks.js'
import type { ReleaseRunner } from './release-runner.js'
import type { ReleaseStore } from './release-store.js'
import type { Comparison, Switching } from './release-switch.js'

export interface ReleaserOptions {
  store: ReleaseStore
  runner: ReleaseRunner
  /** Seals the links to previews. */
  previewKey: string
  log: Logger
}

/** Receives the steps of a command. */
export type OnProgress = (event: DeployProgress) => void

/** A rollback does not wait longer for a look at the files of its release. */
const LOOK_MS = 2_000

/** Balancers report the rest of their counts as soon as a trial is over. */
const LAST_FIGURES_MS = 200

/** Brings an installed release to its clients, and records and reports the outcome. */
export class Releaser {
  /** The release that is on its way to the clients, or is being taken back from them. */
  #change: { release: string; end: Promise<unknown> } | undefined
  readonly #lateRecord: LateRecord

  constructor(private readonly options: ReleaserOptions) {
    this.#lateRecord = new LateRecord(options.store, options.log)
  }

  /** A preview goes on. What is live may have been changed since its deploy. */
  start(): void {
    this.#resumePreview()
    void this.#changedFiles(this.options.store.live)
  }

  /** Records what is live for the last time, if that is not on the disk yet. */
  stop(): void {
    this.#lateRecord.stop()
  }

  /** Whether a release is on its way to the clients, or is being taken back from them. */
  get isChanging(): boolean {
    return this.#change !== undefined
  }

  /**
   * The release that is on its way to the clients is taken back.
   * @param to the release that is wanted
   * @returns when no client gets it any more, and its caller has been told
   */
  async endChange(to: string, told: OnProgress): Promise<void> {
    if (this.#change === undefined) return
    const { release, end } = this.#change
    told({ event: 'withdrawing', release })
    this.options.runner.endChange({ reason: `the app was rolled back to ${to}`, isByHand: true })
    await Promise.allSettled([end])
  }

  /**
   * All clients get it, if it passes its trial.
   * @throws {ControlError} `TAKEN_BACK`, `ROLLED_BACK` and those of the runner
   */
  change(to: string, stages: readonly Stage[], keepWarmMs: number, told: OnProgress): Promise<Deployed> {
    const { store, runner } = this.options
    // A new one has not run yet.
    const changed = store.get(to)?.outcome === 'installed' ? undefined : this.#changedFiles(to)
    const { watcher, end } = this.#watch(to, told, changed)
    try {
      runner.changeRelease({ to, stages, keepWarmMs, watcher })
    } catch (error) {
      // One that was there before has done nothing to be taken back for.
      if (store.get(to)?.outcome === 'installed') store.takenBack(to, (error as Error).message)
      throw error
    }
    this.#change = { release: to, end }
    return end
  }

  #watch(
    to: string,
    told: OnProgress,
    changed?: Promise<ChangedFiles | undefined>,
  ): { watcher: Switching['watcher']; end: Promise<Deployed> } {
    const { store, log } = this.options
    let watcher!: Switching['watcher']
    const end = new Promise<Deployed>((resolve, reject) => {
      watcher = {
        baking: (share, ms) => told({ event: 'baking', release: to, share, seconds: ms / 1_000 }),
        filling: () => told({ event: 'filling', release: to }),
        live: comparison => {
          const report = comparison && reportOf(comparison)
          store.setLive(to)
          const unrecorded = this.#lateRecord.expect()
          this.#change = undefined
          log.info({ release: to, ...report }, 'release is live')
          // A request that comes after the answer gets the new release.
          void Promise.all([changed, this.routed()]).then(([changed]) => {
            const remarks = { ...(changed && { changed }), ...(unrecorded && { unrecorded }) }
            resolve({ release: to, ...(report && { report }), ...remarks })
          })
        },
        takenBack: (fault, comparison) => {
          this.#record(to, () => store.takenBack(to, fault.reason))
          void Promise.all([fault.printed, sleep(LAST_FIGURES_MS), this.routed()]).then(() => {
            this.#change = undefined
            reject(this.#failureOf(to, fault, comparison()))
          })
        },
      }
    })
    return { watcher, end }
  }

  #failureOf(to: string, fault: Fault, comparison: Comparison | undefined): ControlError {
    const { runner, log } = this.options
    const { reason, isByHand = false } = fault
    // If a person decided, it does not matter what could not be compared.
    const report = comparison && reportOf(isByHand ? { ...comparison, remark: undefined } : comparison)
    log[isByHand ? 'warn' : 'error']({ release: to, reason, ...report }, 'release is taken back')
    const message = `release ${to} is taken back: ${reason}`
    if (isByHand) return new ControlError('ROLLED_BACK', { message, report })
    const lastLines = fault.lastLines && [...fault.lastLines]
    const serves = `${runner.releases.current} serves as before`
    return new ControlError('TAKEN_BACK', { message: `${message}; ${serves}`, lastLines, report })
  }

  /** Only clients that ask for it get it. @throws {ControlError} `TAKEN_BACK` and those of the runner */
  preview(release: string, told: OnProgress): Promise<Deployed> {
    const { store, runner, log, previewKey } = this.options
    told({ event: 'previewing', release })
    return new Promise((resolve, reject) => {
      const ready = (): void => {
        this.#record(release, () => store.setPreviewed(release))
        log.info({ release }, 'release is in preview: only clients that ask for it get it')
        const preview = { host: `${release}.preview`, link: `/?${PREVIEW}=${previewTokenOf(release, previewKey)}` }
        void this.routed().then(() => resolve({ release, preview }))
      }
      const failed = ({ reason, printed, lastLines: printedLines }: Fault): void => {
        this.#record(release, () => store.takenBack(release, reason))
        const message = `release ${release} is taken back: ${reason}; ${runner.releases.current} serves as before`
        log.error({ release, reason }, 'preview is over: its release is taken back')
        void Promise.resolve(printed).then(() => {
          const lastLines = printedLines && [...printedLines]
          reject(new ControlError('TAKEN_BACK', { message, lastLines }))
        })
      }
      try {
        const ended = (): void => this.#record(release, () => store.endPreview(release))
        runner.previewRelease({ release, watcher: { ready, failed, ended } })
      } catch (error) {
        store.takenBack(release, (error as Error).message)
        throw error
      }
    })
  }

  /** The preview that was there when the program ended goes on, by the same link. Its files stay, whatever becomes of it. */
  #resumePreview(): void {
    const { store, runner, log } = this.options
    const { preview: release } = store
    if (release === undefined) return
    const ended = (): void => this.#record(release, () => store.endPreview(release))
    const ready = (): void => log.info({ release }, 'release is in preview again')
    const failed = ({ reason }: Fault): void => {
      log.error({ release, reason }, 'preview is over: its worker has failed')
    }
    try {
      runner.previewRelease({ release, watcher: { ready, failed, ended } })
    } catch (error) {
      log.error({ release, reason: (error as Error).message }, 'preview is over: it could not start')
    }
  }

  /**
   * Records an outcome that stands even if a full disk keeps no record of it: the next start takes back what was not
   * made live, and shows no preview that is not recorded.
   */
  #record(release: string, write: () => void): void {
    try {
      write()
    } catch (error) {
      this.options.log.error({ release, reason: (error as Error).message }, 'outcome of release could not be recorded')
    }
  }

  /** An app may write into the files of its release, so a rollback would run other code than was deployed. */
  async #changedFiles(release: string): Promise<ChangedFiles | undefined> {
    const { store, log } = this.options
    const folder = store.filesOf(release)
    if (folder === undefined) return undefined
    const late = sleep(LOOK_MS, undefined, { ref: false })
    const changed = await Promise.race([changedFiles(folder), late])
    if (changed) log.warn({ release, ...changed }, 'files of release have changed since it was deployed')
    return changed ?? undefined
  }

  /** Resolves when every process that balances goes by the newest orders, or is about to be replaced. */
  routed(): Promise<void> {
    return routedInTime(this.options.runner)
  }
}

function reportOf({ before, fresh, remark }: Comparison): DeployReport {
  return { before: sideOf(before), fresh: sideOf(fresh), ...(remark !== undefined && { remark }) }
}

function sideOf(side: SideFigures): DeployReport['before'] {
  const { requests, failed, broken } = side
  const p99 = p99Of(side.latencies)
  const known = p99 === undefined ? {} : { p99Ms: Math.round(p99 * 10) / 10 }
  return { requests, failed, broken, ...known, growthBytes: Math.round(side.growthBytes) }
}

import { setTimeout as sleep } from 'node:timers/promises'
import { PREVIEW, previewTokenOf } from '#balancer/contract/preview-token.js'
import { ControlError, type Deployed, type DeployProgress, type DeployReport } from '../../control/protocol.js'
import type { Logger } from '../../process/log.js'
import { p99Of, type SideFigures } from '../plan/bake-verdict.js'
import type { Stage } from '../plan/deployment.js'
import type { Fault } from './fault.js'
import type { ReleaseRunner } from './release-runner.js'
import type { ReleaseStore } from './release-store.js'
import type { Comparison } from './release-switch.js'

export interface ReleaserOptions {
  store: ReleaseStore
  runner: ReleaseRunner
  /** Seals the links to previews. */
  previewKey: string
  log: Logger
}

/** Receives the steps of a command. */
export type Told = (event: DeployProgress) => void

/** A process that balances takes its orders within this time, or is replaced. */
const ROUTED_MS = 10_000

/** Balancers report the rest of their counts as soon as a trial is over. */
const LAST_FIGURES_MS = 200

/** Brings an installed release to its clients, and records and reports the outcome. */
export class Releaser {
  constructor(private readonly options: ReleaserOptions) {}

  /** All clients get it, if it passes its trial. @throws {ControlError} `TAKEN_BACK` and those of the runner */
  change(to: string, stages: readonly Stage[], keepWarmMs: number, told: Told): Promise<Deployed> {
    const { store, runner, log } = this.options
    return new Promise((resolve, reject) => {
      const takenBack = (fault: Fault, comparison: () => Comparison | undefined): void => {
        store.takenBack(to, fault.reason)
        const message = `release ${to} is taken back: ${fault.reason}; ${runner.releases.current} serves as before`
        void Promise.all([fault.printed, sleep(LAST_FIGURES_MS), this.routed()]).then(() => {
          const compared = comparison()
          const report = compared && reportOf(compared)
          log.error({ release: to, reason: fault.reason, ...report }, 'release is taken back')
          const lastLines = fault.lastLines && [...fault.lastLines]
          reject(new ControlError('TAKEN_BACK', { message, lastLines, report }))
        })
      }
      const live = (comparison: Comparison | undefined): void => {
        const report = comparison && reportOf(comparison)
        store.setLive(to)
        log.info({ release: to, ...report }, 'release is live')
        // A request that comes after the answer gets the new release.
        void this.routed().then(() => resolve({ release: to, ...(report && { report }) }))
      }
      const watcher = {
        baking: (share: number, ms: number): void => told({ event: 'baking', release: to, share, seconds: ms / 1_000 }),
        filling: (): void => told({ event: 'filling', release: to }),
        live,
        takenBack,
      }
      try {
        runner.changeRelease({ to, stages, keepWarmMs, watcher })
      } catch (error) {
        store.takenBack(to, (error as Error).message)
        throw error
      }
    })
  }

  /** Only clients that ask for it get it. @throws {ControlError} `TAKEN_BACK` and those of the runner */
  preview(release: string, told: Told): Promise<Deployed> {
    const { store, runner, log, previewKey } = this.options
    told({ event: 'previewing', release })
    return new Promise((resolve, reject) => {
      const ready = (): void => {
        store.setPreviewed(release)
        log.info({ release }, 'release is in preview: only clients that ask for it get it')
        const preview = { host: `${release}.preview`, link: `/?${PREVIEW}=${previewTokenOf(release, previewKey)}` }
        void this.routed().then(() => resolve({ release, preview }))
      }
      const failed = ({ reason, printed, lastLines: printedLines }: Fault): void => {
        store.takenBack(release, reason)
        const message = `release ${release} is taken back: ${reason}; ${runner.releases.current} serves as before`
        log.error({ release, reason }, 'preview is over: its release is taken back')
        void Promise.resolve(printed).then(() => {
          const lastLines = printedLines && [...printedLines]
          reject(new ControlError('TAKEN_BACK', { message, lastLines }))
        })
      }
      try {
        runner.previewRelease({ release, watcher: { ready, failed, ended: () => store.endPreview(release) } })
      } catch (error) {
        store.takenBack(release, (error as Error).message)
        throw error
      }
    })
  }

  /** The preview that was there when the program ended goes on, by the same link. Its files stay, whatever becomes of it. */
  resumePreview(): void {
    const { store, runner, log } = this.options
    const { preview: release } = store
    if (release === undefined) return
    const ended = (): void => store.endPreview(release)
    const ready = (): void => log.info({ release }, 'release is in preview again')
    const failed = ({ reason }: Fault): void => {
      log.error({ release, reason }, 'preview is over: its worker has failed')
    }
    try {
      runner.previewRelease({ release, watcher: { ready, failed, ended } })
    } catch (error) {
      log.error({ release, reason: (error as Error).message }, 'preview is over: it could not be begun')
    }
  }

  /** Resolves when every process that balances goes by the newest orders, or is replaced. */
  routed(): Promise<unknown> {
    return Promise.race([this.options.runner.routed(), sleep(ROUTED_MS, undefined, { ref: false })])
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

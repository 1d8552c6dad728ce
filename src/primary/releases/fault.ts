import { failureOf, type FailedWorker } from '../processes/failed-worker.js'

/** Why a new release is taken back. */
export interface Fault {
  readonly reason: string
  /** The last output of the worker that failed, whole once `printed` has resolved. */
  readonly lastLines?: readonly string[]
  readonly printed?: Promise<void>
  /** A person wants the previous release; the new one need not be at fault. */
  readonly isByHand?: true
}

/** The end of a worker that was not asked for. */
export interface LostWorker extends Omit<Fault, 'reason'>, FailedWorker {
  readonly release: string
  /** It had not served for long enough, and no request has ended it. */
  readonly early: boolean
}

/** The loss of a worker of a new release, as a reason to take it back. */
export function lossOf(worker: LostWorker): string {
  return `the new ${failureOf(worker, worker.early ? undefined : 'ended')}`
}

/** Why a new release is taken back. */
export interface Fault {
  readonly reason: string
  /** The last output of the worker that failed, whole once `printed` has resolved. */
  readonly lastLines?: readonly string[]
  readonly printed?: Promise<void>
}

/** The end of a worker that was not asked for. */
export interface LostWorker extends Omit<Fault, 'reason'> {
  readonly name: string
  readonly release: string
  readonly ending: string
  readonly servedMs: number
  /** It had not served for long enough, and no request has ended it. */
  readonly early: boolean
}

/** The loss of a worker of a new release, as a reason to take it back. */
export function lossOf({ name, servedMs, ending, early }: LostWorker): string {
  if (servedMs === 0) return `the new ${name} did not become ready (${ending})`
  return `the new ${name} ${early ? 'did not last' : 'ended'} (${ending})`
}

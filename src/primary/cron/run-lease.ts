/** The right to run a job at one of its times. */
export interface Claim {
  /** Aborts when another instance may run it by now; undefined where there is no other. */
  readonly lost?: AbortSignal
  giveBack(): Promise<void>
}

/** Makes sure that a job runs on one instance at a time, and once for each of its times. */
export interface RunLease {
  /**
   * @param dueAt the time that it is run for, in milliseconds since 1970
   * @returns undefined: another instance runs it, or has run it for this time
   * @throws {Error} it is not known
   */
  take(job: string, dueAt: number): Promise<Claim | undefined>
  stop(): void
}

const CLAIM: Claim = { giveBack: () => Promise.resolve() }

/** Where the instance is alone with its app: the lock of its DATA_DIR is enough. */
export const ownRunLease: RunLease = { take: () => Promise.resolve(CLAIM), stop: () => undefined }

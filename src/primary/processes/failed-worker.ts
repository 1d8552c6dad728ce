/** How a worker ended that should have served. */
export interface FailedWorker {
  readonly name: string
  readonly ending: string
  /** 0 if it never became ready. */
  readonly servedMs: number
}

/** @param fault of one that had become ready */
export function failureOf({ name, servedMs, ending }: FailedWorker, fault = 'did not last'): string {
  return `${name} ${servedMs === 0 ? 'did not become ready' : fault} (${ending})`
}

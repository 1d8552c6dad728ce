import type { Child } from './processes/child.js'
import { failureOf } from './processes/failed-worker.js'

/** A worker failed before anything was served. The instance keeps trying. */
export class StartError extends Error {
  /** The last output of the failed worker. */
  readonly lastLines: readonly string[]

  constructor(child: Pick<Child, 'name' | 'servedMs' | 'ending' | 'lastLines'>) {
    super(failureOf(child))
    this.name = 'StartError'
    this.lastLines = [...child.lastLines]
  }
}

/** Callers that wait until a first request can be answered. */
export class StartRequests {
  readonly #waiting = new Set<(error: StartError) => void>()
  #failure: StartError | undefined
  #over = false

  get areOver(): boolean {
    return this.#over
  }

  /** @returns a promise that follows `serving`, but rejects when a worker has failed before */
  ask(serving: Promise<void>): Promise<void> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure)
    return new Promise((resolve, reject) => {
      this.#waiting.add(reject)
      serving.then(resolve, reject)
    })
  }

  succeeded(): void {
    this.#over = true
    this.#failure = undefined
    this.#waiting.clear()
  }

  lost(child: Pick<Child, 'role' | 'name' | 'servedMs' | 'ending' | 'lastLines' | 'printed'>): void {
    if (this.#over || child.role !== 'worker') return
    void child.printed.then(() => this.#failed(new StartError(child)))
  }

  #failed(error: StartError): void {
    if (this.#over) return
    this.#failure ??= error
    for (const reject of this.#waiting) reject(this.#failure)
    this.#waiting.clear()
  }
}

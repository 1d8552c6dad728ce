import type { Progress } from '../control/protocol.js'
import type { Child } from './processes/child.js'
import { failureOf } from './processes/failed-worker.js'

/** A new worker did not become ready, or did not last. The workers that are not yet replaced keep serving. */
export class ReloadError extends Error {
  /** The last output of the failed worker. */
  readonly lastLines: readonly string[]

  constructor(
    child: Pick<Child, 'name' | 'servedMs' | 'ending' | 'lastLines'>,
    readonly replaced: number,
  ) {
    const rest = replaced === 0 ? 'the old workers keep serving' : 'no more workers are replaced'
    super(`the new ${failureOf(child)}; ${rest}`)
    this.name = 'ReloadError'
    this.lastLines = [...child.lastLines]
  }
}

interface Asked {
  generation: number
  /** Workers that a worker of this generation, or of a later one, has replaced. */
  replaced: number
  onProgress: ((event: Progress) => void) | undefined
  resolve(replaced: number): void
  reject(error: Error): void
}

/** Reloads that were requested and have no outcome yet. */
export class ReloadRequests {
  #generation = 0
  #asked: Asked[] = []
  #last: Promise<unknown> = Promise.resolve()
  #givenUpTo = 0

  /**
   * @param onProgress called for each worker that is replaced
   * @returns the generation that all workers are to have, and a promise of the number replaced (rejects: `ReloadError`, or
   *   the reason to give the reload up)
   */
  ask(onProgress?: (event: Progress) => void): { generation: number; finished: Promise<number> } {
    const generation = ++this.#generation
    const finished = new Promise<number>((resolve, reject) => {
      this.#asked.push({ generation, replaced: 0, onProgress, resolve, reject })
    })
    this.#last = finished.catch(() => undefined)
    return { generation, finished }
  }

  /** Resolves when none is under way. */
  async over(): Promise<void> {
    while (this.areUnderWay) await this.#last
  }

  get areUnderWay(): boolean {
    return this.#asked.length > 0
  }

  /** Reloads up to this generation are not wanted any more, unless they are over. */
  get givenUpTo(): number {
    return this.#givenUpTo
  }

  /** Those that are under way end: their callers are told why. */
  giveUp(reason: Error): void {
    this.#givenUpTo = this.#generation
    for (const asked of this.#upTo(this.#generation)) asked.reject(reason)
  }

  /**
   * A worker gives its place to a successor.
   * @param successor the generation of that one
   */
  replaced({ id, spec }: Pick<Child, 'id' | 'spec'>, successor: number): void {
    for (const asked of this.#asked) {
      if (spec.generation >= asked.generation || successor < asked.generation) continue
      asked.replaced += 1
      asked.onProgress?.({ event: 'replaced', worker: id })
    }
  }

  /**
   * All workers are of this generation now.
   * @returns how many were replaced for that
   */
  settled(generation: number): number {
    const due = this.#upTo(generation)
    for (const asked of due) asked.resolve(asked.replaced)
    return Math.max(0, ...due.map(({ replaced }) => replaced))
  }

  /** A worker of this generation did not last. */
  abandoned(generation: number, error: ReloadError): void {
    for (const asked of this.#upTo(generation)) asked.reject(error)
  }

  #upTo(generation: number): Asked[] {
    const due = this.#asked.filter(asked => asked.generation <= generation)
    this.#asked = this.#asked.filter(asked => asked.generation > generation)
    return due
  }
}

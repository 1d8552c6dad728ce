import type { Release } from '../plan/desired.js'
import { lossOf, type Fault, type LostWorker } from './fault.js'

/** Receives the outcome of a preview. */
interface PreviewWatcher {
  /**
   * It can be looked at from now on.
   * @throws {Error} it could not be recorded, so the preview fails
   */
  ready(): void
  /** It has failed, before or after it was ready, and its worker ends. */
  failed(fault: Fault): void
  /** Nobody can look at it any more, whatever the reason, but a stop of the program. */
  ended(): void
}

/** A release that is to be looked at before clients get it. */
export interface Previewing {
  release: string
  watcher: PreviewWatcher
}

/** A release with one worker and no clients of its own, beside the one that is live. */
export class Preview {
  #state: 'starting' | 'ready' | 'failed' = 'starting'
  #startBy: number
  readonly release: string

  /** @param startBy when its worker has to be proven, in the clock of the passes */
  constructor(
    private readonly previewing: Previewing,
    startBy: number,
  ) {
    this.#startBy = startBy
    this.release = previewing.release
  }

  get isReady(): boolean {
    return this.#state === 'ready'
  }

  get wanted(): Release {
    return { id: this.release, workers: 1, share: 0 }
  }

  /** The time at which it has to be looked at again, at the latest. */
  get due(): number {
    return this.#state === 'starting' ? this.#startBy : Infinity
  }

  /** Its worker has at least until then. */
  postpone(startBy: number): void {
    this.#startBy = Math.max(this.#startBy, startBy)
  }

  /** @returns whether it goes on */
  observe(isProven: boolean, now: number): boolean {
    if (this.#state === 'starting' && isProven) this.#begin()
    else if (this.#state === 'starting' && now >= this.#startBy) {
      this.#fail({ reason: 'its worker was not found healthy in time' })
    }
    return this.#isOn
  }

  /** A worker that does not last ends the preview: it would be started again and again. */
  lost(worker: LostWorker): void {
    if (worker.release !== this.release || !this.#isOn) return
    if (worker.early || !this.isReady) this.#fail({ ...worker, reason: lossOf(worker) })
  }

  /** @param reason that counts if it was still being started */
  end(reason: string): void {
    if (this.#state === 'starting') this.#fail({ reason })
    this.previewing.watcher.ended()
  }

  #begin(): void {
    try {
      this.previewing.watcher.ready()
      this.#state = 'ready'
    } catch (error) {
      this.#fail({ reason: `it could not be recorded: ${(error as Error).message}` })
    }
  }

  get #isOn(): boolean {
    return this.#state !== 'failed'
  }

  #fail(fault: Fault): void {
    this.#state = 'failed'
    this.previewing.watcher.failed(fault)
  }
}

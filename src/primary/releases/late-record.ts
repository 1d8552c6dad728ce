import type { Logger } from '../../process/log.js'
import type { ReleaseStore } from './release-store.js'

const AGAIN_MS = 1_000

/** Records what is live as soon as the disk takes it. */
export class LateRecord {
  #again: NodeJS.Timeout | undefined

  constructor(
    private readonly store: Pick<ReleaseStore, 'doubt' | 'record' | 'live'>,
    private readonly log: Pick<Logger, 'info' | 'error'>,
    private readonly againMs = AGAIN_MS,
  ) {}

  /** To be called when another release is live. @returns why it is not on the disk yet; undefined if it is */
  expect(): string | undefined {
    const { doubt: reason, live: release } = this.store
    if (reason === undefined || this.#again !== undefined) return reason
    this.log.error({ release, reason }, 'release is live but not recorded: a start of the program would serve another')
    this.#again = setInterval(() => this.#try(), this.againMs).unref()
    return reason
  }

  /** Tries for the last time. */
  stop(): void {
    if (this.#again === undefined) return
    this.#try()
    clearInterval(this.#again)
    const { doubt: reason, live: release } = this.store
    if (reason !== undefined) {
      this.log.error({ release, reason }, 'release was not recorded: the next start serves another')
    }
  }

  #try(): void {
    this.store.record()
    if (this.store.doubt !== undefined) return
    clearInterval(this.#again)
    this.#again = undefined
    this.log.info({ release: this.store.live }, 'release that is live is recorded')
  }
}

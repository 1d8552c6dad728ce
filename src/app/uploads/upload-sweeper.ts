import type { Redis } from 'ioredis'
import type { Logger } from '../../process/log.js'
import { keys } from '../../services/keys.js'
import { takeLease } from '../../services/lease.js'
import { UPLOAD_LIVES_MS } from '../../services/live-uploads.js'
import type { IncompleteUpload } from '../../services/object-storage.js'

/** The storage to sweep. */
interface IncompleteUploads {
  incompleteUploads(prefix: string): AsyncIterable<IncompleteUpload>
  removeIncompleteUpload(upload: IncompleteUpload): Promise<void>
}

export interface SweeperOptions {
  redis: Redis
  storage: IncompleteUploads
  log: Logger
  /** Only keys with this prefix are swept. */
  prefix: string
  /** The interval between two sweeps of the cluster. */
  intervalMs?: number
  /** Younger uploads are kept, because the clocks of worker and storage may differ. */
  minAgeMs?: number
}

const INTERVAL_MS = 5 * 60_000
/** The first sweep comes soon, since a start may follow a crash, but not while the worker is busy starting. */
const FIRST_MS = 15_000
const MIN_AGE_MS = 5 * UPLOAD_LIVES_MS

/**
 * Removes multipart uploads without a living worker: it was killed, or could not reach the storage to
 * abort them. One worker of the cluster does it at a time.
 */
export class UploadSweeper {
  readonly #intervalMs: number
  readonly #minAgeMs: number
  #timer: NodeJS.Timeout | undefined
  #stopped = false
  #sweeping: Promise<void> = Promise.resolve()

  constructor(private readonly options: SweeperOptions) {
    this.#intervalMs = options.intervalMs ?? INTERVAL_MS
    this.#minAgeMs = options.minAgeMs ?? MIN_AGE_MS
  }

  start(): void {
    this.#next(Math.min(FIRST_MS, this.#intervalMs))
  }

  async stop(): Promise<void> {
    this.#stopped = true
    clearTimeout(this.#timer)
    await this.#sweeping
  }

  /** @returns how many were removed */
  async sweep(): Promise<number> {
    const { redis, storage, prefix } = this.options
    const youngest = Date.now() - this.#minAgeMs
    let removed = 0
    for await (const upload of storage.incompleteUploads(prefix)) {
      if (upload.initiated.getTime() > youngest) continue
      if ((await redis.exists(keys.liveUpload(upload.uploadId))) === 1) continue
      await storage.removeIncompleteUpload(upload)
      removed += 1
    }
    return removed
  }

  #next(delayMs: number): void {
    if (this.#stopped) return
    this.#timer = setTimeout(() => {
      this.#sweeping = this.#sweepInTurn().finally(() => this.#next(this.#intervalMs))
    }, delayMs).unref()
  }

  async #sweepInTurn(): Promise<void> {
    const { redis, log } = this.options
    try {
      // Slightly shorter than the interval, so that the previous lease has expired.
      if (!(await takeLease(redis, 'sweep-uploads', this.#intervalMs * 0.9))) return
      const removed = await this.sweep()
      if (removed > 0) log.info({ removed }, 'unfinished uploads were removed')
    } catch (error) {
      log.debug({ err: error }, 'unfinished uploads could not be removed')
    }
  }
}

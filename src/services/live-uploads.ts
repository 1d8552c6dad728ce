import type { Redis } from 'ioredis'
import type { Logger } from '../process/log.js'
import { keys } from './keys.js'
import type { UploadWitness } from './multipart-upload.js'

/** An upload counts as abandoned when its worker has not renewed it for this time. */
export const UPLOAD_LIVES_MS = 60_000
const RENEW_MS = 15_000

/** Registers the multipart uploads of this worker in Redis, for as long as the worker lives. */
export class LiveUploads implements UploadWitness {
  readonly #ids = new Set<string>()
  #timer: NodeJS.Timeout | undefined

  constructor(
    private readonly redis: Redis,
    private readonly log: Logger,
  ) {}

  begun(uploadId: string): void {
    this.#ids.add(uploadId)
    this.#renew()
    this.#timer ??= setInterval(() => this.#renew(), RENEW_MS).unref()
  }

  ended(uploadId: string): void {
    this.#ids.delete(uploadId)
    this.redis.del(keys.liveUpload(uploadId)).catch(() => undefined) // it expires by itself
    if (this.#ids.size === 0) this.stop()
  }

  stop(): void {
    clearInterval(this.#timer)
    this.#timer = undefined
  }

  #renew(): void {
    const renewed = [...this.#ids].map(id => this.redis.set(keys.liveUpload(id), '1', 'PX', UPLOAD_LIVES_MS))
    Promise.all(renewed).catch((error: unknown) => this.log.debug({ err: error }, 'live uploads were not renewed'))
  }
}

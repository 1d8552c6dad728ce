import bcrypt from 'bcrypt'
import { QueueFullError } from '../../resources/queued-places.js'
import { Semaphore } from '../../resources/semaphore.js'

/** Too many hashes are waiting for a core. */
export class HashQueueFullError extends Error {
  constructor() {
    super('too many sign-ins at once')
    this.name = 'HashQueueFullError'
  }
}

export interface HashLimits {
  /** Hashes computed at once by this process. */
  atOnce: number
  /** Hashes that may wait; one more is refused. */
  waiting: number
}

/** The queue of all workers of a machine together. */
const WAIT_LIMIT = 64
const MIN_WAIT_LIMIT = 8

/**
 * The share of one worker. Only hashing keeps a core busy for long: more hashes at once than cores would
 * not be faster, and would slow down everything else.
 */
export function hashLimits(cores: number, workers: number): HashLimits {
  return {
    atOnce: Math.max(1, Math.floor(cores / workers)),
    waiting: Math.max(MIN_WAIT_LIMIT, Math.ceil(WAIT_LIMIT / workers)),
  }
}

const COST = 10

/** bcrypt ignores further bytes. */
export const MAX_PASSWORD_BYTES = 72

/**
 * A valid hash of an unknown password. Comparing with a malformed hash returns at once, which would reveal that the
 * account does not exist.
 */
const HASH_OF_NOTHING = '$2b$10$jas1T7BxDenKJiOjSY4FMukrZL0fxoYAVH1ykzv8ChlEkpotPYrQa'

/**
 * bcrypt with a bounded queue. The libuv pool alone would take any number and make everything else wait. When a client
 * leaves, its abort signal frees its place in the queue.
 */
export class PasswordHasher {
  readonly #semaphore: Semaphore

  constructor({ atOnce, waiting }: HashLimits) {
    this.#semaphore = new Semaphore(atOnce, waiting)
  }

  /** For a changed number of workers. */
  setLimits({ atOnce, waiting }: HashLimits): void {
    this.#semaphore.resize(atOnce, waiting)
  }

  /** @throws {HashQueueFullError} */
  async hash(password: string, signal?: AbortSignal): Promise<string> {
    return this.#inTurn(signal, () => bcrypt.hash(password, COST))
  }

  /**
   * Takes the same time for an account that does not exist (`hash` undefined).
   * @throws {HashQueueFullError}
   */
  async matches(password: string, hash: string | undefined, signal?: AbortSignal): Promise<boolean> {
    const same = await this.#inTurn(signal, () => bcrypt.compare(password, hash ?? HASH_OF_NOTHING))
    return same && hash !== undefined
  }

  async #inTurn<T>(signal: AbortSignal | undefined, work: () => Promise<T>): Promise<T> {
    const leave = await this.#semaphore.enter(signal).catch((error: unknown) => {
      throw error instanceof QueueFullError ? new HashQueueFullError() : error
    })
    try {
      return await work()
    } finally {
      leave()
    }
  }
}

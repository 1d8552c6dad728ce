import bcrypt from 'bcrypt'

/** Whether a hash may be computed now: as many at a time as the machine has cores. */
export interface HashGate {
  /**
   * Resolves when it may, with a function to call when it is done.
   * @param signal gives the place in the queue up; its reason is thrown
   * @throws {HashQueueFullError}
   */
  enter(signal?: AbortSignal): Promise<() => void>
}

/** As many wait for a core already as may. */
export class HashQueueFullError extends Error {
  constructor() {
    super('too many sign-ins at once')
    this.name = 'HashQueueFullError'
  }
}

const COST = 10

/** bcrypt reads no further. */
export const MAX_PASSWORD_BYTES = 72

/** A valid hash of a password that nobody knows: comparing against a malformed one would return at once, and tell. */
const HASH_OF_NOTHING = '$2b$10$jas1T7BxDenKJiOjSY4FMukrZL0fxoYAVH1ykzv8ChlEkpotPYrQa'

/**
 * bcrypt behind a gate: the libuv pool would take any number and let everything else wait. Whose client leaves while it
 * waits gives its place up by a signal: the next would be turned away for nobody's sake.
 */
export class PasswordHasher {
  constructor(private readonly gate: HashGate) {}

  async hash(password: string, signal?: AbortSignal): Promise<string> {
    return this.#gated(signal, () => bcrypt.hash(password, COST))
  }

  /** Takes the same time for an account that does not exist (`hash` undefined). */
  async matches(password: string, hash: string | undefined, signal?: AbortSignal): Promise<boolean> {
    const same = await this.#gated(signal, () => bcrypt.compare(password, hash ?? HASH_OF_NOTHING))
    return same && hash !== undefined
  }

  async #gated<T>(signal: AbortSignal | undefined, work: () => Promise<T>): Promise<T> {
    const leave = await this.gate.enter(signal)
    try {
      return await work()
    } finally {
      leave()
    }
  }
}

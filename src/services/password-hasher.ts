import bcrypt from 'bcrypt'

/** Whether a hash may be computed now: as many at a time as the machine has cores. */
export interface HashGate {
  /**
   * Resolves when it may, with a function to call when it is done.
   * @throws {HashQueueFullError}
   */
  enter(): Promise<() => void>
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

/** bcrypt behind a gate: the libuv pool would take any number and let everything else wait. */
export class PasswordHasher {
  constructor(private readonly gate: HashGate) {}

  async hash(password: string): Promise<string> {
    return this.#gated(() => bcrypt.hash(password, COST))
  }

  /** Takes the same time for an account that does not exist (`hash` undefined). */
  async matches(password: string, hash: string | undefined): Promise<boolean> {
    const same = await this.#gated(() => bcrypt.compare(password, hash ?? HASH_OF_NOTHING))
    return same && hash !== undefined
  }

  async #gated<T>(work: () => Promise<T>): Promise<T> {
    const leave = await this.gate.enter()
    try {
      return await work()
    } finally {
      leave()
    }
  }
}

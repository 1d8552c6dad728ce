import type { Redis, Result } from 'ioredis'
import { isRedisUnavailable } from '../../services/redis.js'
import { accountKeys } from './account-keys.js'

export interface GuessLimitOptions {
  /** Wrong passwords in a window, from all clients that are new to the account together. */
  max: number
  windowMs: number
  now?: () => number
}

/**
 * How a client may try: as one that the account knows, within the limit, or because its turn has come; or not before
 * `waitMs` have passed.
 */
export type Admission = 'known' | 'within' | 'turn' | { waitMs: number }

const KNOWN_MS = 90 * 24 * 3_600_000
const MAX_KNOWN = 20
/** A turn that is not taken for this long is given up. */
const TURN_KEPT_MS = 10 * 60_000
/** The longest time that a client is told to wait. */
const MAX_WAIT_MS = 60 * 60_000

declare module 'ioredis' {
  interface RedisCommander<Context> {
    admitGuess(
      guesses: string,
      turns: string,
      known: string,
      client: string,
      now: number,
      max: number,
      gapMs: number,
      keptMs: number,
      maxWaitMs: number,
    ): Result<number, Context>
    countGuess(guesses: string, windowMs: number): Result<number, Context>
  }
}

/** @returns -1 known, -2 within the limit, -3 its turn, else milliseconds to wait */
const ADMIT = `
if redis.call('ZSCORE', KEYS[3], ARGV[1]) then return -1 end
if tonumber(redis.call('GET', KEYS[1]) or '0') < tonumber(ARGV[3]) then return -2 end
local now, gap, kept, longest = tonumber(ARGV[2]), tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
local mine = tonumber(redis.call('HGET', KEYS[2], ARGV[1]) or '-1')
if mine < now - kept then
  local last = tonumber(redis.call('HGET', KEYS[2], '') or '0')
  mine = math.max(now, last + gap)
  if mine > now + longest then return longest end
  redis.call('HSET', KEYS[2], '', mine, ARGV[1], mine)
  redis.call('PEXPIRE', KEYS[2], longest + kept)
end
if mine > now then return mine - now end
redis.call('HDEL', KEYS[2], ARGV[1])
return -3
`

/** @returns how many there were before */
const COUNT = `
local guesses = redis.call('INCR', KEYS[1])
if redis.call('PTTL', KEYS[1]) < 0 then redis.call('PEXPIRE', KEYS[1], ARGV[1]) end
return guesses - 1
`

/**
 * Bounds the guesses at one account's password from any number of addresses. Nobody is locked out: a client that has
 * signed in to the account before does not count and does not wait, and others, once their limit is used up, get turns
 * one after the other, each address one at a time.
 */
export class GuessLimit {
  readonly #gapMs: number
  readonly #now: () => number

  constructor(
    private readonly redis: Redis,
    private readonly options: GuessLimitOptions,
  ) {
    this.#now = options.now ?? Date.now
    this.#gapMs = Math.ceil(options.windowMs / options.max)
    redis.defineCommand('admitGuess', { numberOfKeys: 3, lua: ADMIT })
    redis.defineCommand('countGuess', { numberOfKeys: 1, lua: COUNT })
  }

  /** To be called before the password is looked at. It uses up a turn. */
  async admit(username: string, client: string): Promise<Admission> {
    const keys = [accountKeys.guesses(username), accountKeys.guessTurns(username), accountKeys.knownClients(username)]
    const [guesses = '', turns = '', known = ''] = keys
    const times = [this.#now(), this.options.max, this.#gapMs, TURN_KEPT_MS, MAX_WAIT_MS] as const
    const answer = await this.redis.admitGuess(guesses, turns, known, client, ...times)
    return ADMISSIONS.get(answer) ?? { waitMs: answer }
  }

  /**
   * Records a wrong password.
   * @returns milliseconds to wait, when others have used up the limit in the meantime; 0 when the caller may learn that
   *   it was wrong. Without it, passwords guessed all at once would each get their answer.
   */
  async failed(username: string, admission: Admission): Promise<number> {
    if (admission === 'known') return 0
    const before = await this.redis.countGuess(accountKeys.guesses(username), this.options.windowMs)
    return admission === 'within' && before >= this.options.max ? this.#gapMs : 0
  }

  /**
   * Records that a client has proved that the account is its own.
   * @returns milliseconds to wait as above, and then nothing is recorded
   */
  async succeeded(username: string, client: string, admission: Admission): Promise<number> {
    if (admission === 'within') {
      const guesses = Number(await this.redis.get(accountKeys.guesses(username)))
      if (guesses >= this.options.max) return this.#gapMs
    }
    await this.know(username, client)
    return 0
  }

  /** From now on this client is known to the account. If that cannot be recorded, the client is let in all the same. */
  async know(username: string, client: string): Promise<void> {
    const key = accountKeys.knownClients(username)
    const now = this.#now()
    await this.redis
      .multi()
      .zadd(key, now, client)
      .zremrangebyscore(key, '-inf', now - KNOWN_MS)
      .zremrangebyrank(key, 0, -MAX_KNOWN - 1)
      .pexpire(key, KNOWN_MS)
      .exec()
      .catch((error: unknown) => {
        if (!isRedisUnavailable(error)) throw error
      })
  }
}

const ADMISSIONS = new Map<number, Admission>([
  [-1, 'known'],
  [-2, 'within'],
  [-3, 'turn'],
])

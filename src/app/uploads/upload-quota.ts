import { setTimeout as sleep } from 'node:timers/promises'
import type { Redis, Result } from 'ioredis'
import { isRedisUnavailable } from '../../services/redis.js'
import { uploadKeys } from './upload-keys.js'

/** The account has as many bytes stored, and under way, as it may. */
export class QuotaReachedError extends Error {
  constructor() {
    super('the upload quota of the account is reached')
    this.name = 'QuotaReachedError'
  }
}

/** Bytes are reserved in steps, so that a stream costs few commands. */
const STEP_BYTES = 8 * 1024 ** 2
/** A reservation that is not renewed for this long is that of a worker that has exited. */
const KEPT_MS = 60 * 60_000

/** An upload under way outlasts a Redis that is away for this long. */
const PATIENCE_MS = 10_000
const RETRY_MS = 250

declare module 'ioredis' {
  interface RedisCommander<Context> {
    reserveUpload(
      uploads: string,
      reserved: string,
      key: string,
      needed: number,
      wanted: number,
      quota: number,
      now: number,
      keptMs: number,
    ): Result<number, Context>
    storeUpload(uploads: string, reserved: string, key: string, bytes: number): Result<number, Context>
    removeUpload(uploads: string, key: string): Result<number, Context>
  }
}

/** @returns the bytes that are reserved now, or -1 when not even the needed ones are left */
const RESERVE = `
local used = tonumber(redis.call('HGET', KEYS[1], 'total') or '0')
local entries = redis.call('HGETALL', KEYS[2])
for i = 1, #entries, 2 do
  local bytes, last = string.match(entries[i + 1], '^(%d+) (%d+)$')
  if tonumber(last) < tonumber(ARGV[5]) then redis.call('HDEL', KEYS[2], entries[i])
  elseif entries[i] ~= ARGV[1] then used = used + tonumber(bytes) end
end
local left = tonumber(ARGV[4]) - used
if left < tonumber(ARGV[2]) then return -1 end
local bytes = math.min(left, tonumber(ARGV[3]))
redis.call('HSET', KEYS[2], ARGV[1], string.format('%d %d', bytes, tonumber(ARGV[5]) + tonumber(ARGV[6])))
redis.call('PEXPIRE', KEYS[2], ARGV[6])
return bytes
`

/** May come twice: of a repeated command the first may have arrived. */
const STORE = `
redis.call('HDEL', KEYS[2], ARGV[1])
if redis.call('HSET', KEYS[1], ARGV[1], ARGV[2]) == 0 then return 0 end
return redis.call('HINCRBY', KEYS[1], 'total', ARGV[2])
`

/** Counts a file once, however often it is removed. */
const REMOVE = `
local bytes = redis.call('HGET', KEYS[1], ARGV[1])
if not bytes then return 0 end
redis.call('HDEL', KEYS[1], ARGV[1])
return redis.call('HINCRBY', KEYS[1], 'total', -tonumber(bytes))
`

/**
 * Bounds the bytes that one account has stored. Redis counts them: the sizes of the stored files by key, their sum, and
 * what uploads under way have reserved. Files of versions that counted nothing are not counted.
 */
export class UploadQuota {
  constructor(
    private readonly redis: Redis,
    private readonly maxBytes: number,
    private readonly now: () => number = Date.now,
  ) {
    redis.defineCommand('reserveUpload', { numberOfKeys: 2, lua: RESERVE })
    redis.defineCommand('storeUpload', { numberOfKeys: 2, lua: STORE })
    redis.defineCommand('removeUpload', { numberOfKeys: 1, lua: REMOVE })
  }

  /**
   * Begins to count an upload.
   * @param bytes known ahead, at least; they are reserved at once
   * @throws {QuotaReachedError}
   */
  async begin(owner: string, key: string, bytes: number): Promise<Reservation> {
    const reserve = (needed: number, wanted: number): Promise<number> => this.#reserve(owner, key, needed, wanted)
    return new Reservation(await reserve(bytes, bytes), reserve)
  }

  /** The upload is stored. */
  async stored(owner: string, key: string, bytes: number): Promise<void> {
    const [uploads, reserved] = [uploadKeys.stored(owner), uploadKeys.reserved(owner)]
    await patiently(() => this.redis.storeUpload(uploads, reserved, key, bytes))
  }

  /** The upload has failed. */
  async failed(owner: string, key: string): Promise<void> {
    await this.redis.hdel(uploadKeys.reserved(owner), key)
  }

  /** The file is removed. */
  async removed(owner: string, key: string): Promise<void> {
    await this.redis.removeUpload(uploadKeys.stored(owner), key)
  }

  async #reserve(owner: string, key: string, needed: number, wanted: number): Promise<number> {
    const [uploads, reserved] = [uploadKeys.stored(owner), uploadKeys.reserved(owner)]
    const { maxBytes } = this
    const left = await patiently(() =>
      this.redis.reserveUpload(uploads, reserved, key, needed, wanted, maxBytes, this.now(), KEPT_MS),
    )
    if (left < 0) throw new QuotaReachedError()
    return left
  }
}

/** The bytes that one upload may take. */
class Reservation {
  constructor(
    private bytes: number,
    private readonly reserve: (needed: number, wanted: number) => Promise<number>,
  ) {}

  /**
   * Called before the upload grows to this size.
   * @throws {QuotaReachedError}
   */
  async grow(size: number): Promise<void> {
    if (size > this.bytes) this.bytes = await this.reserve(size, size + STEP_BYTES)
  }
}

/** Repeats a command that may be repeated while Redis is away. */
async function patiently<T>(command: () => Promise<T>): Promise<T> {
  const until = performance.now() + PATIENCE_MS
  for (;;) {
    try {
      return await command()
    } catch (error) {
      if (!isRedisUnavailable(error) || performance.now() > until) throw error
      await sleep(RETRY_MS)
    }
  }
}

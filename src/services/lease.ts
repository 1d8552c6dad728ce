import type { Redis } from 'ioredis'
import { v4 as uuid } from 'uuid'
import { keys } from './keys.js'

/**
 * Takes a piece of work for the whole cluster. It is not given back: whoever asks within `ttlMs` is told that it has
 * been done or is being done, and should the holder die, somebody else gets it after that.
 * @returns whether it is the caller who should do it
 */
export async function takeLease(redis: Redis, name: string, ttlMs: number): Promise<boolean> {
  return (await redis.set(keys.lease(name), uuid(), 'PX', ttlMs, 'NX')) === 'OK'
}

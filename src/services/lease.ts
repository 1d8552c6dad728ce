import type { Redis } from 'ioredis'
import { v4 as uuid } from 'uuid'
import { keys } from './keys.js'

/**
 * Takes a piece of work for the whole cluster. The lease is not given back: within `ttlMs` the work counts as done or
 * under way, and after that another process may take it, even if the holder has exited.
 * @returns whether the caller should do the work
 */
export async function takeLease(redis: Redis, name: string, ttlMs: number): Promise<boolean> {
  return (await redis.set(keys.lease(name), uuid(), 'PX', ttlMs, 'NX')) === 'OK'
}

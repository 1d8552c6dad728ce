import type { Request, RequestHandler } from 'express'
import { ipKeyGenerator, rateLimit, type ClientRateLimitInfo, type Store } from 'express-rate-limit'
import type { Redis, Result } from 'ioredis'
import { keys } from './keys.js'
import { isRedisReadOnly } from './redis.js'

export interface RateLimitOptions {
  /** Names the counter: rules with the same name count together, over all workers and machines. */
  rule: string
  /** Requests a window; 0 turns the rule off. */
  max: number
  windowMs: number
  /** Called in place of an answer when a client is over its limit. */
  onLimit: RequestHandler
}

/**
 * Middleware that counts the requests of a client address in Redis and reports it in the `RateLimit` headers. An IPv6
 * client is its /64, which is what one customer gets. An unreachable Redis is an error for the next handler: no request
 * passes uncounted, except reads while Redis takes no writes, because reads still work then.
 */
export function createRateLimit(redis: Redis, options: RateLimitOptions): RequestHandler {
  const { rule, max, windowMs, onLimit } = options
  if (max === 0) return (_request, _response, next) => next()
  const limiter = rateLimit({
    windowMs,
    limit: max,
    standardHeaders: 'draft-7',
    legacyHeaders: false,
    keyGenerator: countedAddress,
    store: new RedisCounter(redis, rule, windowMs),
    handler: (request, response, next) => {
      addSeparateHeaders(request, response.setHeader.bind(response))
      return onLimit(request, response, next)
    },
    validate: false,
  })
  return function countRequest(request, response, next) {
    void limiter(request, response, (error?: unknown) => {
      addSeparateHeaders(request, response.setHeader.bind(response))
      if (isRedisReadOnly(error) && READS.has(request.method)) next()
      else next(error)
    })
  }
}

const READS = new Set(['GET', 'HEAD', 'OPTIONS'])

/** The client's address as it is counted. */
export function countedAddress(request: Request): string {
  return ipKeyGenerator(request.ip ?? '', 64)
}

/** Many clients still read the earlier draft's three headers in place of the combined one. */
function addSeparateHeaders(request: Request, set: (name: string, value: string) => void): void {
  const { rateLimit: info } = request as Request & {
    rateLimit?: { limit: number; remaining: number; resetTime?: Date }
  }
  if (info === undefined) return
  set('RateLimit-Limit', String(info.limit))
  set('RateLimit-Remaining', String(info.remaining))
  if (info.resetTime !== undefined) {
    set('RateLimit-Reset', String(Math.max(0, Math.ceil((info.resetTime.getTime() - Date.now()) / 1_000))))
  }
}

declare module 'ioredis' {
  interface RedisCommander<Context> {
    countHit(key: string, windowMs: number): Result<[number, number], Context>
  }
}

/** Counts and starts the window in one step: a counter that lost its expiry would lock its client out for ever. */
const COUNT_HIT = `
local hits = redis.call('INCR', KEYS[1])
local left = redis.call('PTTL', KEYS[1])
if left < 0 then
  redis.call('PEXPIRE', KEYS[1], ARGV[1])
  left = tonumber(ARGV[1])
end
return { hits, left }
`

/** Fixed windows in Redis. */
export class RedisCounter implements Store {
  constructor(
    private readonly redis: Redis,
    private readonly rule: string,
    private readonly windowMs: number,
  ) {
    redis.defineCommand('countHit', { numberOfKeys: 1, lua: COUNT_HIT })
  }

  async increment(client: string): Promise<ClientRateLimitInfo> {
    const [totalHits, leftMs] = await this.redis.countHit(keys.rateLimit(this.rule, client), this.windowMs)
    return { totalHits, resetTime: new Date(Date.now() + leftMs) }
  }

  async decrement(client: string): Promise<void> {
    await this.redis.decr(keys.rateLimit(this.rule, client))
  }

  async resetKey(client: string): Promise<void> {
    await this.redis.del(keys.rateLimit(this.rule, client))
  }
}

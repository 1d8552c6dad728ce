import type { Redis, Result } from 'ioredis'

/**
 * A cache entry is one hash, so that one key is all that a script touches:
 *
 *     value, fresh, until   JSON, and the times to which it is fresh and may be served at all; value '' = "not found"
 *     lock, lockUntil       token of the reader that loads now, and the time at which its lock expires
 *     failed                token of the last load that failed
 *     writer, writeUntil    token of the last write that has begun, and the time at which it counts as failed
 *     contended             the last write began before another one was over
 *
 * A load stores its value only under the lock that it began with. A write takes the lock away when it begins and again
 * when it ends, so no value that was read before or during a write can outlive it. While a write is under way, a stored
 * value lives no longer than the write may take: if the writer exits, the outcome of its write is unknown.
 *
 * All times are Redis's own, in milliseconds.
 */
const COMMON = `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local key = KEYS[1]
local function field(name) return tonumber(redis.call('HGET', key, name) or '0') end
local function keep()
  local last = math.max(field('until'), field('lockUntil'), field('writeUntil'), field('failedUntil'))
  if last > now then redis.call('PEXPIREAT', key, last) else redis.call('DEL', key) end
end
local function drop() redis.call('HDEL', key, 'value', 'fresh', 'until', 'lock', 'lockUntil') end
`

/**
 * Reads the value and decides which reader loads. ARGV: token, how long a load may take, whether to take the lock.
 * Returns [state, value or token]: `hit`, `stale` (others load), `reload` (stale, and the caller loads), `load`,
 * `wait` (with the token of the reader that loads), `none` (no value, and the lock was not wanted).
 */
const LOOK = `
local value = redis.call('HGET', key, 'value')
local served = value and field('until') > now
if served and field('fresh') > now then return { 'hit', value } end
local lock = redis.call('HGET', key, 'lock')
local locked = lock and field('lockUntil') > now
if locked then
  if served then return { 'stale', value } end
  return { 'wait', lock }
end
if ARGV[3] == '0' then
  if served then return { 'stale', value } end
  return { 'none', redis.call('HGET', key, 'failed') or '' }
end
redis.call('HSET', key, 'lock', ARGV[1], 'lockUntil', now + ARGV[2])
keep()
if served then return { 'reload', value } end
return { 'load', '' }
`

/** Stores the value of a load. ARGV: token, value, fresh for, served for. Returns 1 if it was stored. */
const STORE = `
if redis.call('HGET', key, 'lock') ~= ARGV[1] then return 0 end
redis.call('HDEL', key, 'lock', 'lockUntil')
local fresh, last = now + ARGV[3], now + ARGV[4]
local writeUntil = field('writeUntil')
if writeUntil > now then fresh, last = math.min(fresh, writeUntil), math.min(last, writeUntil) end
redis.call('HSET', key, 'value', ARGV[2], 'fresh', fresh, 'until', last)
keep()
return 1
`

/** Records that a load has failed, for the readers that wait for it. ARGV: token, how long to keep the record. */
const FAIL = `
if redis.call('HGET', key, 'lock') ~= ARGV[1] then return 0 end
redis.call('HDEL', key, 'lock', 'lockUntil')
redis.call('HSET', key, 'failed', ARGV[1], 'failedUntil', now + ARGV[2])
keep()
return 1
`

/** A write begins. ARGV: token, how long it may take. */
const BEGIN_WRITE = `
if field('writeUntil') <= now then
  redis.call('HDEL', key, 'contended')
elseif redis.call('HEXISTS', key, 'writer') == 1 then
  redis.call('HSET', key, 'contended', '1')
end
local last = now + ARGV[2]
redis.call('HDEL', key, 'lock', 'lockUntil')
redis.call('HSET', key, 'writer', ARGV[1], 'writeUntil', last)
if field('until') > last then redis.call('HSET', key, 'until', last) end
keep()
return 1
`

/**
 * A write is over. ARGV: token, value, fresh for, served for, whether there is a value. If writes have overlapped,
 * their order is unknown, so the value is removed and the next reader loads.
 */
const END_WRITE = `
drop()
if redis.call('HGET', key, 'writer') ~= ARGV[1] then
  keep()
  return 0
end
local contended = redis.call('HEXISTS', key, 'contended') == 1
redis.call('HDEL', key, 'writer')
if contended or field('writeUntil') <= now then
  keep()
  return 0
end
redis.call('HDEL', key, 'writeUntil')
if ARGV[5] == '1' then redis.call('HSET', key, 'value', ARGV[2], 'fresh', now + ARGV[3], 'until', now + ARGV[4]) end
keep()
return 1
`

export type Look = 'hit' | 'stale' | 'reload' | 'load' | 'wait' | 'none'

declare module 'ioredis' {
  interface RedisCommander<Context> {
    cacheLook(key: string, token: string, loadMs: number, take: 0 | 1): Result<[Look, string], Context>
    cacheStore(key: string, token: string, value: string, freshMs: number, servedMs: number): Result<number, Context>
    cacheFail(key: string, token: string, rememberMs: number): Result<number, Context>
    cacheBeginWrite(key: string, token: string, writeMs: number): Result<number, Context>
    cacheEndWrite(
      key: string,
      token: string,
      value: string,
      freshMs: number,
      servedMs: number,
      hasValue: 0 | 1,
    ): Result<number, Context>
  }
}

export function defineCacheScripts(redis: Redis): void {
  const scripts = {
    cacheLook: LOOK,
    cacheStore: STORE,
    cacheFail: FAIL,
    cacheBeginWrite: BEGIN_WRITE,
    cacheEndWrite: END_WRITE,
  }
  for (const [name, lua] of Object.entries(scripts)) redis.defineCommand(name, { numberOfKeys: 1, lua: COMMON + lua })
}

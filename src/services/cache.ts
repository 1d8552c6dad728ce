import type { Redis } from 'ioredis'
import { setTimeout as sleep } from 'node:timers/promises'
import { v4 as uuid } from 'uuid'
import type { Logger } from '../process/log.js'
import { defineCacheScripts, type Look } from './cache-scripts.js'
import { keys } from './keys.js'

/**
 * - `HIT`: from the cache, or from another reader's load that this reader waited for
 * - `MISS`: loaded for this reader
 * - `STALE`: older than its time to live, while it is loaded anew
 */
type CacheState = 'HIT' | 'MISS' | 'STALE'

export interface Cached<T> {
  /** Undefined if there is no such thing. */
  value: T | undefined
  state: CacheState
}

/** The load that this reader waited for failed, or took too long. */
export class CacheLoadError extends Error {
  constructor(reason: string) {
    super(`value could not be loaded: ${reason}`)
    this.name = 'CacheLoadError'
  }
}

export interface CacheTimes {
  /** How long "there is no such thing" is cached. */
  missingMs: number
  /** A load counts as failed after this time. */
  loadMs: number
  /** A write counts as failed after this time, which is longer than any write may take. */
  writeMs: number
  /** How long a reader waits for another reader's load. */
  waitMs: number
}

const defaultTimes: CacheTimes = { missingMs: 5_000, loadMs: 10_000, writeMs: 30_000, waitMs: 15_000 }

const FIRST_POLL_MS = 10
const MAX_POLL_MS = 100
const FAILURE_REMEMBERED_MS = 5_000
const NOTHING = ''

/**
 * Cache-aside in Redis for a whole cluster. Of any number of readers at once, one loads; the others wait for it or get the
 * stale value. Every reader sees a write as soon as it is over.
 */
export class Cache {
  readonly #times: CacheTimes
  readonly #reloads = new Set<Promise<void>>()
  readonly #polls = new Map<string, Promise<[Look, string]>>()

  constructor(
    private readonly redis: Redis,
    private readonly log: Logger,
    times: Partial<CacheTimes> = {},
  ) {
    this.#times = { ...defaultTimes, ...times }
    defineCacheScripts(redis)
  }

  /**
   * @param ttlSeconds how long the value is fresh; it may be served stale for as long again, while it is loaded anew
   * @param load undefined for "there is no such thing"; its result must survive JSON
   * @throws {CacheLoadError} when another reader loads, and fails or takes too long
   * @example
   * const user = await outpost.cache.getOrLoad(`user:${id}`, 60, () => database.findUser(id))
   */
  async getOrLoad<T>(name: string, ttlSeconds: number, load: () => Promise<T | undefined>): Promise<T | undefined> {
    return (await this.read(name, ttlSeconds, load)).value
  }

  /** The same, and where it came from. */
  async read<T>(name: string, ttlSeconds: number, load: () => Promise<T | undefined>): Promise<Cached<T>> {
    const key = keys.cache(name)
    const deadline = performance.now() + this.#times.waitMs
    for (;;) {
      const token = uuid()
      const [look, text] = await this.redis.cacheLook(key, token, this.#times.loadMs, 1)
      switch (look) {
        case 'hit':
          return { value: parse(text) as T | undefined, state: 'HIT' }
        case 'stale':
          return { value: parse(text) as T | undefined, state: 'STALE' }
        case 'reload':
          this.#reload(key, token, ttlSeconds, load)
          return { value: parse(text) as T | undefined, state: 'STALE' }
        case 'wait': {
          const found = await this.#awaitLoad(key, text, deadline)
          if (found !== undefined) return { value: parse(found) as T | undefined, state: 'HIT' }
          break
        }
        default:
          return { value: await this.#load(key, token, ttlSeconds, load), state: 'MISS' }
      }
    }
  }

  /**
   * Changes the original to `value` (undefined: it is removed) and the cache with it. `work` changes the original. When
   * it throws, its outcome is unknown, so the cached value is served for a moment at most.
   * @example
   * await outpost.cache.write(`user:${user.id}`, 60, user, () => database.saveUser(user))
   */
  async write(name: string, ttlSeconds: number, value: unknown, work: () => Promise<void>): Promise<void> {
    const key = keys.cache(name)
    const token = uuid()
    await this.redis.cacheBeginWrite(key, token, this.#times.writeMs)
    await work()
    const { text, freshMs, servedMs } = this.#entry(value, ttlSeconds)
    await this.redis.cacheEndWrite(key, token, text, freshMs, servedMs, 1)
  }

  /**
   * Forgets a value, and the loads that are under way.
   * @example
   * await outpost.cache.invalidate(`user:${id}`)
   */
  async invalidate(name: string): Promise<void> {
    const key = keys.cache(name)
    const token = uuid()
    await this.redis.cacheBeginWrite(key, token, this.#times.writeMs)
    await this.redis.cacheEndWrite(key, token, NOTHING, 0, 0, 0)
  }

  /** Waits for the reloads in the background. */
  async stop(): Promise<void> {
    await Promise.all(this.#reloads)
  }

  async #load<T>(
    key: string,
    token: string,
    ttlSeconds: number,
    load: () => Promise<T | undefined>,
  ): Promise<T | undefined> {
    let value: T | undefined
    try {
      value = await load()
    } catch (error) {
      // The error of the load is thrown, not that of recording it. Other readers then wait for the lock to expire.
      await this.redis.cacheFail(key, token, FAILURE_REMEMBERED_MS).catch(() => undefined)
      throw error
    }
    const { text, freshMs, servedMs } = this.#entry(value, ttlSeconds)
    await this.redis.cacheStore(key, token, text, freshMs, servedMs).catch((error: unknown) => {
      this.log.debug({ err: error, key }, 'loaded value was not cached')
    })
    return value
  }

  #reload<T>(key: string, token: string, ttlSeconds: number, load: () => Promise<T | undefined>): void {
    const reload = this.#load(key, token, ttlSeconds, load)
      .then(() => undefined)
      .catch((error: unknown) => this.log.warn({ err: error, key }, 'stale value could not be reloaded'))
      .finally(() => this.#reloads.delete(reload))
    this.#reloads.add(reload)
  }

  /** The value of another reader's load; undefined when that load is over without one, and this reader may try. */
  async #awaitLoad(key: string, firstToken: string, deadline: number): Promise<string | undefined> {
    let token = firstToken
    for (let pollMs = FIRST_POLL_MS; performance.now() < deadline; pollMs = Math.min(pollMs * 2, MAX_POLL_MS)) {
      const [look, text] = await this.#poll(key, pollMs)
      if (look === 'hit' || look === 'stale') return text
      if (look === 'wait') token = text
      else if (text === token) throw new CacheLoadError('the load failed')
      else return undefined
    }
    throw new CacheLoadError(`no result within ${this.#times.waitMs} ms`)
  }

  /** Readers that wait in this process share one look, sent after each of them has begun to wait. */
  #poll(key: string, pollMs: number): Promise<[Look, string]> {
    const shared = this.#polls.get(key)
    if (shared !== undefined) return shared
    const poll = sleep(pollMs).then(() => {
      this.#polls.delete(key)
      return this.redis.cacheLook(key, '', 0, 0)
    })
    this.#polls.set(key, poll)
    return poll
  }

  #entry(value: unknown, ttlSeconds: number): { text: string; freshMs: number; servedMs: number } {
    const { missingMs } = this.#times
    if (value === undefined) return { text: NOTHING, freshMs: missingMs, servedMs: missingMs }
    const freshMs = Math.round(ttlSeconds * 1_000)
    return { text: JSON.stringify(value), freshMs, servedMs: 2 * freshMs }
  }
}

function parse(text: string): unknown {
  return text === NOTHING ? undefined : JSON.parse(text)
}

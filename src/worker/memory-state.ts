import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createRequire } from 'node:module'
import type { LocalState } from '../ipc/messages.js'
import type { EarlyHandler } from './worker-server.js'

/** Published by Node when an answer has been handed over. */
const ANSWERED = 'http.server.response.finish'
/** After this many requests nothing new is expected. */
const LOOKS = 1_000

/** The traces that middleware leaves on a request. */
interface Marked extends IncomingMessage {
  sessionStore?: object
  rateLimit?: { resetTime?: unknown }
}

/** Limiters that leave nothing on a request, and what all of them say in an answer. */
const LIMITERS = /\/node_modules\/(?:@[\w.-]+\/)?(?:[\w-]*rate-?limit[\w-]*|throttler)\//
const LIMITED = /^(?:x-)?ratelimit(?:-limit)?:/im
/** Stores and adapters that workers share, and clients by which such a store may be the app's own. */
const SHARED_LIMITS = /\/node_modules\/(?:rate-limit-[\w-]+|redis|@redis|ioredis|memcached|mongodb|pg)\//
const SHARED_ROOMS = /\/node_modules\/(?:socket\.io-redis|@[\w.-]+\/[\w-]*adapter)\//
const SOCKET_IO = /\/node_modules\/socket\.io\/dist\/index\.js$/
const OF_ENGINE = /[?&]EIO=\d/

/** The message of that channel. */
interface Answered {
  request: Marked
  /** The head as it was sent: a framework may write all of it at once. */
  response: ServerResponse & { _header?: string | null }
}

/**
 * Notices state that an app keeps in the memory of each worker, where it looks like a fault: by what middleware leaves
 * on its requests, and by the modules that are loaded. Looks at the first requests only.
 */
export class MemoryState {
  readonly #told = new Set<LocalState>()
  readonly #resetTimes = new WeakSet<object>()
  #looks = 0

  /**
   * @param lends whether the app uses what it is lent, which workers share
   * @param tell called once for each kind
   */
  constructor(
    private readonly lends: () => boolean,
    private readonly tell: (state: LocalState) => void,
  ) {}

  /**
   * Looks at answers from now on.
   * @returns the door, which looks at upgrades as well: Node publishes nothing about them
   */
  watch(door: EarlyHandler): EarlyHandler {
    subscribe(ANSWERED, this.#answered)
    return {
      ...door,
      owns: request => {
        if (request.headers.upgrade !== undefined && this.#looks < LOOKS) this.#look(request)
        return door.owns(request)
      },
    }
  }

  readonly #answered = (message: unknown): void => {
    if (this.#looks >= LOOKS) unsubscribe(ANSWERED, this.#answered)
    else this.#look((message as Answered).request, (message as Answered).response._header)
  }

  #look(request: Marked, head?: string | null): void {
    this.#looks += 1
    for (const state of this.#found(request, head ?? '')) {
      if (this.#told.has(state)) continue
      this.#told.add(state)
      this.tell(state)
    }
  }

  *#found({ sessionStore, rateLimit, url = '' }: Marked, head: string): Iterable<LocalState> {
    if (sessionStore?.constructor.name === 'MemoryStore') yield 'sessions'
    if (rateLimit === undefined ? this.#isLimited(head) : this.#isInMemory(rateLimit)) yield 'rate limits'
    if (OF_ENGINE.test(url) && !this.lends() && isLoaded(SOCKET_IO) && !isLoaded(SHARED_ROOMS)) yield 'rooms'
  }

  /**
   * A store in memory gives the same object again and again for the time at which a client's window ends; a shared one
   * makes it of each answer. In an app all of whose modules can be seen, the first request tells as well.
   */
  #isInMemory({ resetTime }: { resetTime?: unknown }): boolean {
    if (!(resetTime instanceof Date)) return false
    if (this.#resetTimes.has(resetTime)) return true
    this.#resetTimes.add(resetTime)
    return this.#sharesNoLimits()
  }

  #isLimited(head: string): boolean {
    return LIMITED.test(head) && isLoaded(LIMITERS) && this.#sharesNoLimits()
  }

  #sharesNoLimits(): boolean {
    return !this.lends() && isCommonJs() && !isLoaded(SHARED_LIMITS)
  }
}

const { cache } = createRequire(import.meta.url)

/** Whether the app is CommonJS, and so its modules can be seen here. */
function isCommonJs(): boolean {
  // Not kept: this file may have been loaded before the app.
  return createRequire(import.meta.url).main?.loaded === true
}

/** CommonJS alone is seen. */
function isLoaded(pattern: RegExp): boolean {
  return Object.keys(cache).some(file => pattern.test(file))
}

import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import type { IncomingMessage } from 'node:http'
import { createRequire } from 'node:module'
import type { LocalState } from '../ipc/messages.js'

/** Published by Node when an answer has been handed over. */
const ANSWERED = 'http.server.response.finish'
/** After so many requests nothing new is expected. */
const LOOKS = 1_000

/** What middleware has left on a request. */
interface Marked extends IncomingMessage {
  sessionStore?: object
  rateLimit?: unknown
}

/** Stores and adapters that workers share, and clients by which such a store may be the app's own. */
const SHARED_LIMITS = /\/node_modules\/(?:rate-limit-[\w-]+|redis|@redis|ioredis|memcached|mongodb|pg)\//
const SHARED_ROOMS = /\/node_modules\/(?:socket\.io-redis|@[\w.-]+\/[\w-]*adapter)\//
const SOCKET_IO = /\/node_modules\/socket\.io\/dist\/index\.js$/

/**
 * Notices state that an app keeps in the memory of each worker, where it looks like a fault: by what middleware leaves
 * on its requests, and by the modules that are loaded. Looks at the first requests only.
 */
export class MemoryState {
  readonly #told = new Set<LocalState>()
  #looks = 0

  /**
   * @param lends whether the app uses what it is lent, which workers share
   * @param tell called once for each kind
   */
  constructor(
    private readonly lends: () => boolean,
    private readonly tell: (state: LocalState) => void,
  ) {}

  start(): void {
    subscribe(ANSWERED, this.#answered)
  }

  readonly #answered = (message: unknown): void => {
    this.#looks += 1
    if (this.#looks >= LOOKS) unsubscribe(ANSWERED, this.#answered)
    for (const state of this.#found((message as { request: Marked }).request)) {
      if (this.#told.has(state)) continue
      this.#told.add(state)
      this.tell(state)
    }
  };

  *#found({ sessionStore, rateLimit, url = '' }: Marked): Iterable<LocalState> {
    if (sessionStore?.constructor.name === 'MemoryStore') yield 'sessions'
    if (this.lends()) return
    if (rateLimit !== undefined && !isLoaded(SHARED_LIMITS)) yield 'rate limits'
    if (/[?&]EIO=\d/.test(url) && isLoaded(SOCKET_IO) && !isLoaded(SHARED_ROOMS)) yield 'rooms'
  }
}

/** CommonJS alone is seen, which these packages are or have. */
function isLoaded(pattern: RegExp): boolean {
  return Object.keys(createRequire(import.meta.url).cache).some(file => pattern.test(file))
}

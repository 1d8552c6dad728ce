import type { IncomingMessage } from 'node:http'
import type { ClientAccount } from '../ledger/client-account.js'
import { isChunked } from '../transports/outgoing-body.js'
import { reset } from '../transports/reset.js'
import { passOverTheRest } from './pass-over.js'

/** A chunk of this size and more is passed on as it is. */
const SMALL_BYTES = 1_024
/** A smaller chunk is mostly framing. */
const TINY_BYTES = 8
/** At most this many are joined; each takes some hundred bytes until then. The connection is read no further in this turn. */
const MOST_JOINED = 1_024

/**
 * Joins the small chunks of a body that have come together, so that each costs next to nothing beyond its parsing. Of six
 * bytes that a client sends, five may be framing: a hundred thousand chunks of one byte would each be a buffer, an event and
 * a write of its own, here and in the app. Since even parsing takes a microsecond, and all that has come in one piece is
 * parsed in one turn of the event loop, a client that sends very many such chunks loses the connection.
 */
export function joinSmallChunks(request: IncomingMessage, account: ClientAccount): void {
  if (!isChunked(request)) return
  const push = request.push.bind(request)
  let joined: Buffer[] = []
  let wantsMore = true
  const flush = (): void => {
    if (joined.length === 0) return
    const [only] = joined
    wantsMore = push(joined.length === 1 ? only : Buffer.concat(joined))
    joined = []
  }
  const cut = (): boolean => {
    passOverTheRest(request.socket)
    reset(request.socket)
    return false
  }
  // Not enumerable: in mesh mode the app gets this request.
  Object.defineProperty(request, 'push', {
    configurable: true,
    writable: true,
    value: (chunk: Buffer | null): boolean => {
      if (chunk === null || chunk.length >= SMALL_BYTES) {
        flush()
        return push(chunk)
      }
      if (chunk.length < TINY_BYTES && !account.tinyChunks.take()) return cut()
      const count = joined.push(chunk)
      // Node runs what waits for the next tick after each chunk, and this after all that it has read.
      if (count === 1) setImmediate(flush)
      else if (count >= MOST_JOINED) flush()
      return wantsMore && count < MOST_JOINED
    },
  })
}

import type { Redis } from 'ioredis'

/** The parts of a client that the watch reads. The library gives them no public name. */
interface Inner {
  stream?: { readonly bytesRead: number; destroy(error: Error): void }
  commandQueue: { readonly length: number }
}

const LOOKS = 7

/**
 * Cuts a connection that stays silent although commands wait for their replies. The client then fails them and
 * reconnects. The watch counts checks of the connection, not time: the library's own timeout cannot tell a Redis that
 * is silent from a process that was too busy to read a reply that has arrived.
 *
 * @param silenceMs how long a connection may be silent
 */
export function watchSilence(redis: Redis, silenceMs: number): void {
  const inner = redis as unknown as Inner
  let seen: { stream: Inner['stream']; bytesRead: number; looks: number } | undefined
  const look = (): void => {
    const { stream, commandQueue } = inner
    if (stream === undefined || commandQueue.length === 0) seen = undefined
    else if (seen?.stream !== stream || seen.bytesRead !== stream.bytesRead) {
      seen = { stream, bytesRead: stream.bytesRead, looks: 0 }
    } else if (++seen.looks >= LOOKS) {
      seen = undefined
      stream.destroy(new Error(`Socket timeout: no reply for ${silenceMs} ms`))
    }
  }
  const timer = setInterval(look, silenceMs / LOOKS).unref()
  redis.once('end', () => clearInterval(timer))
}

import type { ClientAccount } from '../ledger/client-account.js'
import type { InFlight } from '../targets/in-flight.js'

/** An answer of which nothing has come for this long costs its app nothing, as a stream of rare events does. */
const QUIET_MS = 500

interface Progress {
  readonly bytes: number
  readonly movedAt: number
}

/**
 * Finds the answers that stream and make progress. An app may work on such an answer piece by piece, so it delays others as
 * much as one that has not begun.
 */
export class BusyStreams {
  #seen = new Map<InFlight, Progress>()

  /**
   * @param streams all that there are
   * @returns the clients of those that make progress, one for each
   */
  busyOf(streams: readonly InFlight[], now: number): ClientAccount[] {
    const seen = new Map<InFlight, Progress>()
    const busy: ClientAccount[] = []
    for (const stream of streams) {
      // The app in this process does not say when an answer begins.
      stream.noteAnswering()
      const bytes = stream.request?.socket.bytesWritten ?? 0
      const before = this.#seen.get(stream)
      const progress = before?.bytes === bytes ? before : { bytes, movedAt: now }
      seen.set(stream, progress)
      if (stream.account !== undefined && now - progress.movedAt < QUIET_MS) busy.push(stream.account)
    }
    this.#seen = seen
    return busy
  }

  clear(): void {
    this.#seen.clear()
  }
}

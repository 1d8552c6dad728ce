import type { Redis } from 'ioredis'
import type { Writable } from 'node:stream'

/** The library has no public name for its connection. */
interface Inner {
  stream?: Writable
}

/** The clients with commands on hold, which are sent if the process exits in the middle of a turn. */
const holding = new Set<() => void>()

/** Sends all commands on hold, because no turn follows an exit. */
let exiting = false

process.on('exit', () => {
  exiting = true
  for (const release of holding) release()
})

/**
 * Sends all commands of one turn of the event loop by one system call. None of their replies
 * could be read before the turn is over.
 */
export function sendByTurns(redis: Redis): void {
  const send = redis.sendCommand.bind(redis)
  let held: Writable | undefined
  const release = (): void => {
    holding.delete(release)
    held?.uncork()
    held = undefined
  }
  redis.sendCommand = (command, stream) => {
    const connection = (redis as unknown as Inner).stream
    if (held === undefined && connection !== undefined && !exiting) {
      held = connection
      connection.cork()
      holding.add(release)
      setImmediate(release)
    }
    return send(command, stream)
  }
}

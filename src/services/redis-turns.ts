import type { Redis } from 'ioredis'
import type { Writable } from 'node:stream'

/** The library keeps its connection, and gives it no public name. */
interface Inner {
  stream?: Writable
}

/** The clients that hold commands back, so that a process that exits in mid-turn can let them go. */
const holding = new Set<() => void>()

/** There is no other turn after this one. */
let exiting = false

process.on('exit', () => {
  exiting = true
  for (const release of holding) release()
})

/**
 * Has all commands that are given within one turn of the event loop leave by one system call. None of their replies
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

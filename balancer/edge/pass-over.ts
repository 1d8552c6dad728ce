import type { Socket } from 'node:net'

/** Node's parser calls some of its numbered properties while it parses. */
interface Parser {
  [slot: number]: ((...args: never) => unknown) | undefined
}

/**
 * Passes over the requests that have come in the same piece: thousands, from each of any number of connections. Each
 * would become two objects and a turn of the event loop, although its connection is gone. Node uses its parsers again.
 */
export function passOverTheRest(socket: Socket & { parser?: Parser | null }): void {
  const { parser } = socket
  if (parser === undefined || parser === null) return
  const onParts = SLOTS.filter(slot => parser[slot]?.name.startsWith('parserOn')).map(
    slot => [slot, parser[slot]] as const,
  )
  for (const [slot] of onParts) parser[slot] = undefined
  socket.once('close', () => {
    for (const [slot, onPart] of onParts) parser[slot] = onPart
  })
}

const SLOTS = [0, 1, 2, 3, 4, 5, 6]

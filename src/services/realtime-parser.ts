import { deserialize, serialize } from 'node:v8'
import type { Logger } from '../process/log.js'

export interface RealtimeParser {
  encode: (message: unknown) => Buffer
  /** Never throws. */
  decode: (bytes: Buffer) => unknown
}

/** What the adapter takes for a message to nobody. */
const NOTHING: readonly never[] = []

/**
 * How messages look between workers. The adapter's own encoder reckons three bytes for half a surrogate pair and writes
 * fewer, so that what the heap held there before goes out with the message; and it keeps keys that clients have chosen.
 */
export function realtimeParser(log: Logger): RealtimeParser {
  return {
    encode: message => serialize(asClientsSee(message)),
    // It is asked by a listener of the connection to Redis: what it threw would end the process.
    decode: bytes => {
      try {
        const message: unknown = deserialize(bytes)
        if (typeof message === 'object' && message !== null) return message
      } catch (error) {
        log.warn({ err: error }, 'a message of another worker cannot be read')
      }
      return NOTHING
    },
  }
}

/**
 * Clients of other workers are to get what clients of this one get, which is JSON with bytes in it. What cannot be made
 * into that throws here, at whoever says it, and not at all the others.
 */
function asClientsSee(value: unknown): unknown {
  if (typeof value === 'bigint') throw new TypeError('a BigInt cannot be sent')
  if (typeof value === 'function' || typeof value === 'symbol') return undefined
  if (typeof value !== 'object' || value === null || isBinary(value)) return value
  if (hasOwnForm(value)) return asClientsSee(value.toJSON())
  if (Array.isArray(value)) return value.map(asClientsSee)
  // Not by assignment, to which the key __proto__ means something else.
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, asClientsSee(item)]))
}

function hasOwnForm(value: object): value is { toJSON: () => unknown } {
  return 'toJSON' in value && typeof value.toJSON === 'function'
}

function isBinary(value: object): boolean {
  return ArrayBuffer.isView(value) || value instanceof ArrayBuffer
}

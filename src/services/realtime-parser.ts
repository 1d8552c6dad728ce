import { deserialize, serialize } from 'node:v8'
import type { Logger } from '../process/log.js'

export interface RealtimeParser {
  encode: (message: unknown) => Buffer
  /** Never throws. */
  decode: (bytes: Buffer) => unknown
}

/** The adapter takes this for a message to no client. */
const NOTHING: readonly never[] = []

/**
 * The format of messages between workers. The adapter's own encoder reserves three bytes for half a surrogate pair and
 * writes fewer, so old bytes of the heap leave with the message. It also keeps keys that clients have chosen.
 */
export function realtimeParser(log: Logger): RealtimeParser {
  return {
    encode: message => serialize(asClientsSee(message)),
    // Called by a listener of the connection to Redis: an error thrown here would end the process.
    decode: bytes => {
      try {
        const message: unknown = deserialize(bytes)
        if (typeof message === 'object' && message !== null) return message
      } catch (error) {
        log.warn({ err: error }, 'message from another worker could not be read')
      }
      return NOTHING
    },
  }
}

/**
 * Clients of all workers must get the same message, which is JSON with bytes in it. A value that cannot be expressed so
 * throws here, in the worker that sends it, and not in all the others.
 */
function asClientsSee(value: unknown): unknown {
  if (typeof value === 'bigint') throw new TypeError('a BigInt cannot be sent')
  if (typeof value === 'function' || typeof value === 'symbol') return undefined
  if (typeof value !== 'object' || value === null || isBinary(value)) return value
  if (hasOwnForm(value)) return asClientsSee(value.toJSON())
  if (Array.isArray(value)) return value.map(asClientsSee)
  // Not assigned, because an assignment to `__proto__` would set the prototype.
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, asClientsSee(item)]))
}

function hasOwnForm(value: object): value is { toJSON: () => unknown } {
  return 'toJSON' in value && typeof value.toJSON === 'function'
}

function isBinary(value: object): boolean {
  return ArrayBuffer.isView(value) || value instanceof ArrayBuffer
}

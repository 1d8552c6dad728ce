import fs from 'node:fs'
import { bindAddress, bindReason, type BoundHandle } from '../host/bound-handle.js'

/** Below the range from which Linux picks ports for outgoing connections, so none of these takes the port. */
const FIRST = 20_000
const LAST = 32_767
const TRIES = 100
const HOST = '127.0.0.1'

/** A bound port of 127.0.0.1. No other program can have it while the handle is open, even if the server on it ends. */
export interface LoopbackPort {
  port: number
  handle: BoundHandle
}

/**
 * A port of 127.0.0.1 for an embedded server. It is kept in `file` and taken again as long as it is free, because
 * workers and other programs on the machine use its number.
 */
export function bindLoopback(file: string): LoopbackPort {
  const kept = keptPort(file)
  const again = kept === undefined ? -1 : bindAddress(HOST, kept)
  if (typeof again === 'object') return again
  for (let tried = 0; tried < TRIES; tried++) {
    const bound = bindAddress(HOST, FIRST + Math.floor(Math.random() * (LAST - FIRST + 1)))
    if (typeof bound === 'number') continue
    fs.writeFileSync(file, `${bound.port}\n`, { mode: 0o600 })
    return bound
  }
  throw new Error(`no port from ${FIRST} to ${LAST} is free on ${HOST}`)
}

/** A port that the person has chosen. @throws {Error} names the variable */
export function bindLoopbackAt(port: number, variable: string): LoopbackPort {
  const bound = bindAddress(HOST, port)
  if (typeof bound === 'object') return bound
  throw new Error(`${variable}=${port}: cannot be bound on ${HOST}: ${bindReason(bound)}`)
}

/** A port for a server that binds it itself: free now, and likely to be when the server starts. */
export function loopbackPort(file: string): number {
  const { port, handle } = bindLoopback(file)
  handle.close()
  return port
}

function keptPort(file: string): number | undefined {
  try {
    const port = Number(fs.readFileSync(file, 'utf8').trim())
    return Number.isInteger(port) && port >= FIRST && port <= LAST ? port : undefined
  } catch {
    return undefined // the first start
  }
}

import { Socket } from 'node:net'

/** What an app does without being asked: it ends with its worker. */
export interface OwnWork {
  /** Timers that keep the event loop alive, one-off ones and intervals. */
  readonly timers: number
  /** Where its connections lead, each once. */
  readonly connections: readonly string[]
}

const MAX_CONNECTIONS = 8

/**
 * What of the app would go on in this process now. Only what keeps the event loop alive can be seen: no timer or socket that
 * is `unref`ed. What Outpost itself holds is on unix sockets, or is `unref`ed.
 */
export function ownWork(): OwnWork {
  const timers = process.getActiveResourcesInfo().filter(name => name === 'Timeout').length
  return { timers, connections: [...new Set(outgoing())].slice(0, MAX_CONNECTIONS) }
}

type Handle = Socket & { server?: unknown }

function outgoing(): string[] {
  // Node has no other list of them. It says "deprecated" without a warning, and without a substitute.
  const { _getActiveHandles: handles } = process as unknown as { _getActiveHandles?: () => unknown[] }
  const sockets = (handles?.call(process) ?? []).filter((handle): handle is Handle => handle instanceof Socket)
  return sockets.flatMap(({ server, remoteAddress: address, remotePort: port }) => {
    if (server !== undefined && server !== null) return []
    if (address === undefined || port === undefined) return []
    return [address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`]
  })
}

import { Socket } from 'node:net'

/** The work of an app besides requests. It ends with its worker. */
export interface OwnWork {
  /** Timers that keep the event loop alive, one-off ones and intervals. */
  readonly timers: number
  /** Where its connections lead, each once. */
  readonly connections: readonly string[]
}

const MAX_CONNECTIONS = 8

/**
 * The app's work in this process now. Only timers and sockets that keep the event loop alive can be seen. Those of Outpost
 * are on unix sockets, or are `unref`ed.
 */
export function ownWork(): OwnWork {
  const timers = process.getActiveResourcesInfo().filter(name => name === 'Timeout').length
  return { timers, connections: [...new Set(outgoing())].slice(0, MAX_CONNECTIONS) }
}

/** Whether the app waits for anything but requests. */
export function hasOwnWork(): boolean {
  return outgoing().length > 0 || process.getActiveResourcesInfo().some(name => !OF_REQUESTS.has(name))
}

/** Unix sockets and pipes, and the connections of clients. */
const OF_REQUESTS: ReadonlySet<string> = new Set(['PipeWrap', 'TCPSocketWrap'])

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

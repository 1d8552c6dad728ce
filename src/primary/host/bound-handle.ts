import net, { isIPv6 } from 'node:net'

/** An accepted connection, not read from yet. */
export interface Connection {
  /** The number of the open file. */
  readonly fd: number
  close(): void
  /** Not 0 once the client has reset the connection. */
  getpeername(out: { address?: string }): number
}

/** A bound socket, as Node keeps it inside a server. Node has no public class for a socket that does not accept. */
export interface BoundHandle {
  getsockname(out: { port?: number; address?: string }): number
  listen(backlog: number): number
  close(): void
  onconnection: ((error: number, connection: Connection) => void) | null
}

/** Why an address could not be bound, for people. */
export function bindReason(errno: number): string {
  return REASONS[errno] ?? `error ${-errno}`
}

const REASONS: Record<number, string> = {
  [-13]: 'permission denied (ports under 1024 belong to root)',
  [-98]: 'the port is taken by another program',
  [-99]: 'this machine does not have that address',
}

type CreateHandle = (host: string, port: number, addressType: 4 | 6) => BoundHandle | number

/** @param port 0 for any free one @returns the bound socket and its port, or a negative error number */
export function bindAddress(address: string, port: number): { handle: BoundHandle; port: number } | number {
  // Node's own way to share a port with its cluster workers, and the only one that binds without accepting.
  const createHandle = (net as unknown as { _createServerHandle: CreateHandle })._createServerHandle
  const handle = createHandle(address, port, isIPv6(address) ? 6 : 4)
  if (typeof handle === 'number') return handle
  const name: { port?: number } = {}
  // libuv reports a taken port late, by the first call after the bind.
  const error = handle.getsockname(name)
  if (error === 0) return { handle, port: name.port ?? port }
  handle.close()
  return error
}

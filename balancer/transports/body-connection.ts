import net, { type NetConnectOpts, type Socket } from 'node:net'

/**
 * A connection that carries bodies to a target. A target may answer before it has read all of a body, and close. The next
 * write then fails, while the answer waits to be read, and Node would discard the answer with the connection. Here only the
 * end of what the target sends ends the connection. That comes right after, because the target is on the same machine.
 */
export function connectForBodies(options: NetConnectOpts): Socket {
  const socket = net.connect(options)
  const write = socket._write.bind(socket)
  const writeAll = socket._writev?.bind(socket)
  socket._write = (chunk, encoding, written) => write(chunk, encoding, () => written())
  socket._writev = (chunks, written) => writeAll?.(chunks, () => written())
  return socket
}

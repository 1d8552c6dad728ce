import type { Socket } from 'node:net'

/** The private part of a socket that is read here. */
interface Inner {
  /** Bytes that were handed to libuv, and those of them that the system has not taken. */
  _handle?: { bytesWritten: number; writeQueueSize: number } | null
}

/** How many bytes the system has taken to send. */
export function takenFrom(socket: Socket): number {
  const { _handle: handle } = socket as Inner
  return handle === undefined || handle === null ? 0 : handle.bytesWritten - handle.writeQueueSize
}

import { randomUUID } from 'node:crypto'
import { Socket } from 'node:net'
import { answerProblemOnSocket, type BalancerErrorCode } from '#balancer/errors.js'
import type { Connection } from './connection-dealer.js'

/** Refuses a connection for which there is no worker, with a balancer's answer. The request is not read. */
export function refuse(connection: Connection, code: BalancerErrorCode): void {
  const handle = { handle: connection, allowHalfOpen: true, readable: true, writable: true }
  const socket = new Socket(handle)
  socket.on('error', () => socket.destroy())
  answerProblemOnSocket(socket, code, randomUUID())
}

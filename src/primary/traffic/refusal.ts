import { randomUUID } from 'node:crypto'
import { Socket } from 'node:net'
import { answerProblemOnSocket, type BalancerErrorCode } from '#balancer/errors.js'
import type { Connection } from './connection-dealer.js'

/** Answers on a connection that no worker can be given, as a balancer would. What its client says is not looked at. */
export function refuse(connection: Connection, code: BalancerErrorCode): void {
  const handle = { handle: connection, allowHalfOpen: true, readable: true, writable: true }
  const socket = new Socket(handle)
  socket.on('error', () => socket.destroy())
  answerProblemOnSocket(socket, code, randomUUID())
}

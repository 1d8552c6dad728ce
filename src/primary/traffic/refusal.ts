import { randomUUID } from 'node:crypto'
import { Socket } from 'node:net'
import { answerProblemOnSocket, ownHeaders, ownHeadersForHttps, type BalancerErrorCode } from '#balancer/errors.js'
import type { Connection } from './connection-dealer.js'

/**
 * Refuses a connection for which there is no worker, with a balancer's answer. The request is not read.
 * @param forHttps browsers are to use https from then on
 */
export function refuse(connection: Connection, code: BalancerErrorCode, forHttps: boolean): void {
  const handle = { handle: connection, allowHalfOpen: true, readable: true, writable: true }
  const socket = new Socket(handle)
  socket.on('error', () => socket.destroy())
  answerProblemOnSocket(socket, code, randomUUID(), forHttps ? ownHeadersForHttps : ownHeaders)
}

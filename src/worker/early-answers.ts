import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { UnreadBodies } from '#balancer/contract/unread-bodies.js'

const HAS_LENGTH = /^(?:content-length|transfer-encoding):/im

/** The connections of balancers over which an app has ended an answer while a body was still arriving. */
export class EarlyAnswers {
  readonly #connections = new Set<Socket>()
  readonly #unread = new UnreadBodies()

  /**
   * Node would close such a connection over the body if the app ends it. That is a reset, and the answer may be lost. The
   * balancer sees the end in the answer and closes the connection itself.
   */
  watch(request: IncomingMessage, response: ServerResponse & { _last?: boolean; _header?: string | null }): void {
    if (request.headers['content-length'] === undefined && request.headers['transfer-encoding'] === undefined) return
    response.once('prefinish', () => {
      if (request.complete) return
      this.#add(request.socket)
      // Without a length of its own an answer ends with its connection.
      if (HAS_LENGTH.test(response._header ?? '')) response._last = false
    })
  }

  /** Closes those whose bodies nobody reads. */
  closeUnread(): void {
    for (const connection of this.#unread.leftIn(this.#connections, performance.now())) connection.destroy()
  }

  #add(connection: Socket): void {
    if (this.#connections.has(connection)) return
    this.#connections.add(connection)
    connection.once('close', () => this.#connections.delete(connection))
  }
}

import { STATUS_CODES, type ClientRequest, type IncomingMessage, type OutgoingHttpHeaders } from 'node:http'
import type { Socket } from 'node:net'
import { requestHeaders, responseHeaders, type Edge } from '../edge/forwarded-headers.js'
import type { Handshake } from '../requests/handshake.js'
import { reset } from '../edge/reset.js'
import { UpgradedPair } from './upgraded-pair.js'

/** One try of an upgrade over a connection that stands. To http-proxy it stands in for the client's request. */
export class UpgradeAttempt {
  readonly method = 'GET'
  readonly url = '/'
  readonly httpVersion = '1.1'
  readonly headers: OutgoingHttpHeaders
  #outgoing: ClientRequest | undefined
  #answered = false

  constructor(
    private readonly handshake: Handshake,
    edge: Edge,
  ) {
    const { request, client, requestId } = handshake
    this.headers = requestHeaders(request.headers, client, requestId, edge)
    // Hop-by-hop, but this hop is to be upgraded just the same.
    this.headers['connection'] = 'Upgrade'
    this.headers['upgrade'] = request.headers.upgrade
  }

  /** Called by the library before it listens for the answer itself. */
  begin(outgoing: ClientRequest): void {
    this.#outgoing = outgoing
    this.handshake.attemptBegun({ abort: () => outgoing.destroy() })
    outgoing.path = this.handshake.request.url ?? '/'
    process.nextTick(() => {
      // The library's own listeners would send a refusal with the wrong framing, and tie two upgraded sockets together
      // by what keeps both requests and both answers for as long as they are open.
      outgoing.removeAllListeners('response').once('response', answer => this.#refused(answer))
      outgoing
        .removeAllListeners('upgrade')
        .once('upgrade', (answer, socket, head) => this.#upgraded(answer, socket, head))
    })
  }

  /** The library may call this more than once, and ends the client's socket right afterwards. */
  failed(_error: Error): void {
    this.#outgoing?.destroy()
    if (!this.#answered) this.handshake.giveUp('UPSTREAM_BROKEN')
  }

  #upgraded(answer: IncomingMessage, target: Socket, head: Buffer): void {
    this.#answered = true
    const { socket } = this.handshake
    if (socket.destroyed) {
      target.destroy()
      return
    }
    forgetRequest(target)
    target.setTimeout(0).setNoDelay(true).setKeepAlive(true)
    if (head.length > 0) target.unshift(head)
    socket.write(this.#headOf(answer, ['Connection', 'Upgrade', 'Upgrade', answer.headers.upgrade ?? '']), 'latin1')
    this.handshake.upgraded(new UpgradedPair(socket, target))
  }

  #refused(answer: IncomingMessage): void {
    this.#answered = true
    this.handshake.refused()
    const { socket } = this.handshake
    socket.write(this.#headOf(answer, ['Connection', 'close']), 'latin1')
    answer.once('error', () => reset(socket))
    answer.pipe(socket)
    socket.resume()
    socket.once('finish', () => socket.destroy())
  }

  /** One byte a character, as Node has read it. @param ofThisHop names and values in turn */
  #headOf(answer: IncomingMessage, ofThisHop: string[]): string {
    const { rawHeaders, statusCode: status = 502, statusMessage } = answer
    const headers = [...responseHeaders(rawHeaders, answer.headers.connection, this.handshake.requestId), ...ofThisHop]
    let head = `HTTP/1.1 ${status} ${statusMessage ?? STATUS_CODES[status] ?? ''}\r\n`
    for (let i = 0; i < headers.length; i += 2) head += `${headers[i] ?? ''}: ${headers[i + 1] ?? ''}\r\n`
    return `${head}\r\n`
  }
}

/** Node keeps the request on its connection, also when that has been upgraded. */
function forgetRequest(socket: Socket & { _httpMessage?: unknown }): void {
  socket._httpMessage = null
}

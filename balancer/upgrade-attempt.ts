import { STATUS_CODES, type ClientRequest, type IncomingMessage, type OutgoingHttpHeaders } from 'node:http'
import type { Socket } from 'node:net'
import { requestHeaders, responseHeaders } from './forwarded-headers.js'
import type { Handshake } from './handshake.js'
import { reset } from './reset.js'
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
    identityHeader: string,
  ) {
    const { request, client, requestId } = handshake
    this.headers = requestHeaders(request.headers, client, requestId, identityHeader)
    // Hop-by-hop, but this hop is to be upgraded just the same.
    this.headers['connection'] = 'Upgrade'
    this.headers['upgrade'] = request.headers.upgrade
  }

  /** Called by the library before it listens for the answer itself. */
  begin(outgoing: ClientRequest): void {
    this.#outgoing = outgoing
    this.handshake.attemptBegun({ abort: () => outgoing.destroy() })
    outgoing.path = this.handshake.request.url ?? '/'
    // The library's listener comes between these two, and leaves alone what looks upgraded. To Node it must not.
    outgoing.once('response', answer => Object.assign(answer, { upgrade: true }))
    process.nextTick(() => outgoing.once('response', answer => this.#refused(answer)))
    outgoing.once('upgrade', (answer, socket) => this.#upgraded(answer, socket))
  }

  /** The library may call this more than once, and ends the client's socket right afterwards. */
  failed(_error: Error): void {
    this.#outgoing?.destroy()
    if (!this.#answered) this.handshake.giveUp('UPSTREAM_BROKEN')
  }

  #upgraded(answer: IncomingMessage, target: Socket): void {
    this.#answered = true
    answer.headers['x-request-id'] = this.handshake.requestId
    // In the next tick: the library ties the two streams in this one, and whoever listens first would start the flow.
    process.nextTick(() => this.handshake.upgraded(new UpgradedPair(this.handshake.socket, target)))
  }

  /** Writes the answer itself: the library would send its decoded body under "Transfer-Encoding: chunked". */
  #refused(answer: IncomingMessage): void {
    this.#answered = true
    this.handshake.refused()
    Object.assign(answer, { upgrade: false })
    const { socket, requestId } = this.handshake
    const status = answer.statusCode ?? 502
    const headers = responseHeaders(answer.rawHeaders, answer.headers.connection, requestId)
    let head = `HTTP/1.1 ${status} ${answer.statusMessage ?? STATUS_CODES[status] ?? ''}\r\n`
    for (let i = 0; i < headers.length; i += 2) head += `${headers[i] ?? ''}: ${headers[i + 1] ?? ''}\r\n`
    socket.write(head + 'Connection: close\r\n\r\n')
    answer.once('error', () => reset(socket))
    answer.pipe(socket)
    socket.resume()
    socket.once('finish', () => socket.destroy())
  }
}

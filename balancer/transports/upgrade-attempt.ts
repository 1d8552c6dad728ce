import { STATUS_CODES, type ClientRequest, type IncomingMessage, type OutgoingHttpHeaders } from 'node:http'
import type { Socket } from 'node:net'
import { requestHeaders, responseHeaders, type ForwardingOptions } from './forwarded-headers.js'
import { reset } from './reset.js'
import type { ForwardedUpgrade } from './transport.js'
import { UpgradedPair } from './upgraded-pair.js'
import { speaksWebSocket } from './websocket-frames.js'

/** One try of an upgrade over an open connection. http-proxy takes it for the client's request. */
export class UpgradeAttempt {
  readonly method = 'GET'
  readonly url = '/'
  readonly httpVersion = '1.1'
  readonly headers: OutgoingHttpHeaders
  #outgoing: ClientRequest | undefined
  #answered = false

  constructor(
    private readonly upgrade: ForwardedUpgrade,
    options: ForwardingOptions,
  ) {
    const { request, client, requestId } = upgrade
    this.headers = requestHeaders(request, client, requestId, options)
    // These are hop-by-hop headers, and the hop to the target is upgraded too.
    this.headers['connection'] = 'Upgrade'
    // The library takes no other: see `begin`.
    this.headers['upgrade'] = 'websocket'
  }

  /** Called by http-proxy before it listens for the answer. */
  begin(outgoing: ClientRequest): void {
    this.#outgoing = outgoing
    this.upgrade.attemptBegun({ abort: () => outgoing.destroy() })
    outgoing.path = this.upgrade.request.url ?? '/'
    outgoing.setHeader('upgrade', this.upgrade.request.headers.upgrade ?? '')
    process.nextTick(() => {
      // http-proxy's own listeners would send a refusal with the wrong framing, and would keep both requests and both
      // answers for as long as the upgraded sockets are open.
      outgoing.removeAllListeners('response').once('response', answer => this.#refused(answer))
      outgoing
        .removeAllListeners('upgrade')
        .once('upgrade', (answer, socket, head) => this.#upgraded(answer, socket, head))
    })
  }

  /** http-proxy may call this more than once, and ends the client's socket right afterwards. */
  failed(): void {
    this.#outgoing?.destroy()
    if (!this.#answered) this.upgrade.attemptFailed('reset')
  }

  #upgraded(answer: IncomingMessage, target: Socket, head: Buffer): void {
    this.#answered = true
    const { socket } = this.upgrade
    if (socket.destroyed) {
      target.destroy()
      return
    }
    target.setTimeout(0).setNoDelay(true).setKeepAlive(true)
    if (head.length > 0) target.unshift(head)
    socket.write(this.#headOf(answer, ['Connection', 'Upgrade', 'Upgrade', answer.headers.upgrade ?? '']), 'latin1')
    this.upgrade.upgraded(new UpgradedPair(socket, target, speaksWebSocket(answer)))
  }

  #refused(answer: IncomingMessage): void {
    this.#answered = true
    this.upgrade.refused()
    const { socket } = this.upgrade
    socket.write(this.#headOf(answer, ['Connection', 'close']), 'latin1')
    answer.once('error', () => reset(socket))
    answer.pipe(socket)
    socket.resume()
    socket.once('finish', () => socket.destroy())
  }

  /** One byte a character, as Node reads headers. @param hopHeaders names and values in turn */
  #headOf(answer: IncomingMessage, hopHeaders: string[]): string {
    const { rawHeaders, statusCode: status = 502, statusMessage } = answer
    const headers = [...responseHeaders(rawHeaders, answer.headers.connection, this.upgrade.requestId), ...hopHeaders]
    let head = `HTTP/1.1 ${status} ${statusMessage ?? STATUS_CODES[status] ?? ''}\r\n`
    for (let i = 0; i < headers.length; i += 2) head += `${headers[i] ?? ''}: ${headers[i + 1] ?? ''}\r\n`
    return `${head}\r\n`
  }
}

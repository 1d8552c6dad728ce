import http from 'node:http'
import { createRequire } from 'node:module'
import net from 'node:net'
import util from 'node:util'
import type HttpProxy from 'http-proxy'
import { IDENTITY_HEADER, sealProbe } from '../contract/client-envelope.js'
import type { Exchange } from '../requests/exchange.js'
import type { Handshake } from '../requests/handshake.js'
import type { BalancerOptions } from '../options.js'
import type { Transport } from '../targets/target.js'
import { UpgradeAttempt } from './upgrade-attempt.js'
import { WebAttempt } from './web-attempt.js'

/**
 * Reaches a worker over its unix socket. The only file that touches http-proxy.
 *
 * The library builds the outgoing request and wires its errors; everything around it is kept outside, because what
 * it does with the client's own request and response cannot be relied on: it eats a body before there is a
 * connection, does not notice a client that leaves or a target that dies half-way, rewrites paths, drops framing
 * headers. So it is handed a stand-in for the request (an attempt), to which it delivers the outgoing request, and
 * never the client's objects, except for the socket of an upgrade.
 */
export class Upstream implements Transport {
  readonly #agent: http.Agent
  readonly #proxy: HttpProxy
  readonly #web: Web
  #look: Promise<void> | undefined

  /**
   * @param socketPath the worker's unix socket
   * @param onRefused nobody listens there
   */
  constructor(
    readonly socketPath: string,
    readonly options: BalancerOptions,
    private readonly onRefused: () => void,
  ) {
    this.#agent = new http.Agent({
      keepAlive: true,
      maxFreeSockets: options.maxInFlight,
      timeout: options.upstreamIdleMs,
    })
    this.#proxy = createProxy(socketPath, this.#agent)
    this.#web = this.#proxy.web.bind(this.#proxy) as unknown as Web
  }

  send(exchange: Exchange): void {
    const attempt = new WebAttempt(this, exchange)
    headersOfThisCall = attempt.headers
    try {
      this.#web(attempt, NO_RESPONSE, error => attempt.failed(error))
    } catch (error) {
      attempt.failed(error as Error)
    }
  }

  /** Connects first: after a failed connect of its own the library would end the client's socket. */
  upgrade(handshake: Handshake): void {
    const socket = net.connect({ path: this.socketPath, allowHalfOpen: true })
    handshake.attemptBegun({ abort: () => socket.destroy() })
    const onError = (error: Error): void => {
      this.connectFailed(error)
      handshake.connectFailed()
    }
    socket.once('error', onError)
    socket.once('connect', () => {
      guard(socket.off('error', onError))
      const attempt = new UpgradeAttempt(handshake, this.options)
      const agent = agentOf(socket)
      try {
        this.#proxy.ws(attempt as unknown as http.IncomingMessage, handshake.socket, handshake.head, { agent }, error =>
          attempt.failed(error),
        )
      } catch (error) {
        attempt.failed(error as Error)
      }
    })
  }

  connectFailed(error: Error): void {
    if (NOBODY_LISTENS.has((error as NodeJS.ErrnoException).code ?? '')) this.onRefused()
  }

  /**
   * After a broken connection: is anybody still there? The answer decides whether what was in flight is lost to a
   * process that died, or to this one connection. A process that is on its way out still takes connections for a
   * moment, and then drops them: only an answer counts. One look serves all that break together.
   */
  look(): Promise<void> {
    this.#look ??= new Promise<void>(resolve => {
      const socket = net.connect(this.socketPath)
      const done = (): void => {
        socket.removeAllListeners().on('error', () => undefined)
        socket.destroy()
        this.#look = undefined
        resolve()
      }
      const dropped = (): void => {
        this.onRefused()
        done()
      }
      socket.setTimeout(LOOK_TIMEOUT_MS, done)
      const { healthPath, identityKey } = this.options
      const headers = [`${IDENTITY_HEADER}: ${sealProbe(identityKey)}`, 'Host: look', 'Connection: close']
      socket.write([`GET ${healthPath} HTTP/1.1`, ...headers, '', ''].join('\r\n'))
      socket.once('data', done).once('close', dropped)
      socket.once('error', (error: NodeJS.ErrnoException) => {
        if (error.code === 'EPIPE') return dropped()
        this.connectFailed(error)
        done()
      })
    })
    return this.#look
  }

  /** Requests in flight keep their connections until they are over; the unused ones go. */
  close(): void {
    this.#agent.maxFreeSockets = 0
    for (const sockets of Object.values(this.#agent.freeSockets)) for (const socket of sockets ?? []) socket.destroy()
  }
}

/** `web` without options of its own, which would be copied for every request; its types do not know that form. */
type Web = (request: WebAttempt, response: object, onError: (error: Error) => void) => void

const LOOK_TIMEOUT_MS = 1_000

/**
 * By these a connect fails when there is no process to take it. A reset is one that ended with connections in its
 * backlog. Any other failure (a full backlog, no file descriptors) says nothing about the process.
 */
const NOBODY_LISTENS = new Set(['ECONNREFUSED', 'ENOENT', 'ECONNRESET'])

/** Tells the library to keep its hands off the answer: the attempt writes it. */
const NO_RESPONSE = { headersSent: true, finished: true }

function createProxy(socketPath: string, agent: http.Agent): HttpProxy {
  const proxy = httpProxy.createProxyServer({
    target: { socketPath } as unknown as HttpProxy.ProxyTarget,
    agent,
    xfwd: false,
    // Leave the path alone: the library's own reading of it throws on "http://[::1".
    toProxy: true,
    prependPath: false,
    selfHandleResponse: true,
  })
  proxy.on('proxyReqWs', (outgoing, attempt) => (attempt as unknown as UpgradeAttempt).begin(outgoing))
  proxy.on('error', () => undefined)
  return proxy
}

/** By itself, so that a connection that lasts does not keep what it began with. */
function guard(socket: net.Socket): void {
  socket.on('error', () => socket.destroy())
}

/** An agent for one request, which gets this connection. */
function agentOf(socket: net.Socket): http.Agent {
  const agent = new http.Agent({ keepAlive: false })
  return Object.assign(agent, { createConnection: () => socket })
}

/** The headers of an attempt are made for one call of the library: it may have them, and need not copy them. */
let headersOfThisCall: object | undefined

function extend(to: object, from: object): object {
  return from === headersOfThisCall ? from : Object.assign(to, from)
}

/**
 * http-proxy takes hold of `util._extend` when it is loaded, and calling that warns on newer Nodes (DEP0060). It gets
 * a function in its place; nobody else sees the exchange, and no warning of anybody else is hidden.
 */
const httpProxy = loadHttpProxy()

function loadHttpProxy(): typeof HttpProxy {
  const mutable = util as unknown as { _extend: unknown }
  const deprecated = mutable._extend
  mutable._extend = extend
  try {
    return createRequire(import.meta.url)('http-proxy') as typeof HttpProxy
  } finally {
    mutable._extend = deprecated
  }
}

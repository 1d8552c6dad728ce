import type http from 'node:http'
import { createRequire } from 'node:module'
import type { Duplex } from 'node:stream'
import util from 'node:util'
import type HttpProxy from 'http-proxy'
import type { UpgradeAttempt } from './upgrade-attempt.js'
import type { WebAttempt } from './web-attempt.js'

/**
 * The only file that touches http-proxy. The library builds the outgoing request and handles its errors. It is given
 * stand-ins for the client's request (the attempts) and never the client's own objects, except for the socket of an
 * upgrade. Given the client's objects, the library would read a body before there is a connection, miss a client that
 * leaves or a target that dies half-way, rewrite paths and drop framing headers.
 */
export class Proxy {
  readonly #proxy: HttpProxy
  readonly #web: Web

  /** @param agent for requests; an upgrade brings its own */
  constructor(socketPath: string, agent: http.Agent) {
    this.#proxy = httpProxy.createProxyServer({
      target: { socketPath } as unknown as HttpProxy.ProxyTarget,
      agent,
      xfwd: false,
      // Leaves the path alone: the library's parser throws on "http://[::1".
      toProxy: true,
      prependPath: false,
      selfHandleResponse: true,
    })
    this.#proxy.on('proxyReqWs', (outgoing, attempt) => (attempt as unknown as UpgradeAttempt).begin(outgoing))
    this.#proxy.on('error', () => undefined)
    this.#web = this.#proxy.web.bind(this.#proxy) as unknown as Web
  }

  /** @param agent gives out the connection to the target, in place of the shared ones */
  web(attempt: WebAttempt, agent?: http.Agent): void {
    headersOfThisCall = attempt.headers
    const onError = (error: Error): void => attempt.failed(error)
    try {
      if (agent === undefined) this.#web(attempt, NO_RESPONSE, onError)
      else this.#proxy.web(attempt as never, NO_RESPONSE as never, { agent }, onError)
    } catch (error) {
      attempt.failed(error as Error)
    }
  }

  /** @param agent gives out the connection to the target */
  upgrade(attempt: UpgradeAttempt, socket: Duplex, head: Buffer, agent: http.Agent): void {
    try {
      this.#proxy.ws(attempt as unknown as http.IncomingMessage, socket, head, { agent }, () => attempt.failed())
    } catch {
      attempt.failed()
    }
  }
}

/** `web` without options, which the library would copy for every request. Its types do not have this form. */
type Web = (request: WebAttempt, response: object, onError: (error: Error) => void) => void

/** Tells the library not to write the answer: the attempt does. */
const NO_RESPONSE = { headersSent: true, finished: true }

/** The headers of an attempt are made for one call of the library, which may keep them instead of copying them. */
let headersOfThisCall: object | undefined

function extend(to: object, from: object): object {
  return from === headersOfThisCall ? from : Object.assign(to, from)
}

/**
 * http-proxy takes `util._extend` when it is loaded. Newer versions of Node print a warning when that is called
 * (DEP0060), so http-proxy is given `extend` instead. The original is back before any other code runs.
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

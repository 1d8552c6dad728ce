import http from 'node:http'
import net from 'node:net'
import { IDENTITY_HEADER, sealProbe } from '../contract/client-envelope.js'
import { OpenFiles } from '../ledger/open-files.js'
import type { BalancerOptions } from '../options.js'
import { Proxy } from './http-proxy.js'
import { Lane } from './lane.js'
import { LaneAttempt } from './lane-attempt.js'
import { countConnections, OwnConnections } from './own-connections.js'
import type { ForwardedRequest, ForwardedUpgrade, Transport } from './transport.js'
import { UpgradeAttempt } from './upgrade-attempt.js'
import { WebAttempt } from './web-attempt.js'

export interface UpstreamEvents {
  /** Nothing listens on the socket of the target. */
  onRefused(): void
  /** A piece of a streamed body was passed on, in either direction. */
  onBytesPassed?(bytes: number): void
}

/** Reaches a target over its unix socket. */
export class Upstream implements Transport {
  readonly #agent: http.Agent
  readonly #proxy: Proxy
  readonly #lane: Lane
  /** Connections that carry the requests of one connection of a client each. */
  readonly #own: OwnConnections | undefined
  #liveness: Promise<void> | undefined

  constructor(
    private readonly socketPath: string,
    readonly options: BalancerOptions,
    private readonly events: UpstreamEvents,
    private readonly openFiles = new OpenFiles(),
  ) {
    this.#agent = new http.Agent({
      keepAlive: true,
      maxFreeSockets: options.maxInFlight,
      timeout: options.upstreamIdleMs,
    })
    countConnections(this.#agent, openFiles)
    if (options.sticky === 'connection') this.#own = new OwnConnections(options.upstreamIdleMs, openFiles)
    this.#proxy = new Proxy(socketPath, this.#agent)
    this.#lane = new Lane(socketPath, options, openFiles)
  }

  send(request: ForwardedRequest): void {
    if (this.#own === undefined && this.#isShort(request)) new LaneAttempt(this, request, this.#lane.take())
    else this.#proxy.web(new WebAttempt(this, request), this.#own?.agentOf(request.request.socket))
  }

  /** All of it leaves in one piece. A body that came in chunks has no length to be sent with. */
  #isShort({ body, request }: ForwardedRequest): boolean {
    if (body.kind !== 'held') return body.kind === 'none'
    return body.bytes.length <= this.options.shortBodyBytes && request.headers['content-length'] !== undefined
  }

  /** Connects before http-proxy does: the library ends the client's socket after a failed connect. */
  upgrade(upgrade: ForwardedUpgrade): void {
    const socket = this.openFiles.count(net.connect({ path: this.socketPath, allowHalfOpen: true }))
    upgrade.attemptBegun({ abort: () => socket.destroy() })
    const onError = (error: Error): void => {
      this.connectFailed(error)
      upgrade.attemptFailed('connect')
    }
    socket.once('error', onError)
    socket.once('connect', () => {
      destroyOnError(socket.off('error', onError))
      const attempt = new UpgradeAttempt(upgrade, this.options)
      this.#proxy.upgrade(attempt, upgrade.socket, upgrade.head, agentOf(socket))
    })
  }

  ping(answered: () => void): boolean {
    return this.#lane.ping(answered)
  }

  bytesPassed(bytes: number): void {
    this.events.onBytesPassed?.(bytes)
  }

  connectFailed(error: Error): void {
    if (NOBODY_LISTENS.has((error as NodeJS.ErrnoException).code ?? '')) this.events.onRefused()
  }

  /**
   * Finds out, after a connection broke, whether the target still answers. If not, its process has died and all that
   * was in flight is lost; otherwise only this connection is. A process that is exiting accepts connections for a
   * moment and then drops them, so only an answer counts. Connections that break at the same time share one check.
   */
  checkAlive(): Promise<void> {
    this.#liveness ??= new Promise<void>(resolve => {
      const socket = net.connect(this.socketPath)
      const done = (): void => {
        socket.removeAllListeners().on('error', () => undefined)
        socket.destroy()
        this.#liveness = undefined
        resolve()
      }
      const dropped = (): void => {
        this.events.onRefused()
        done()
      }
      socket.setTimeout(LIVENESS_TIMEOUT_MS, done)
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
    return this.#liveness
  }

  /** Requests in flight keep their connections until they end. */
  close(): void {
    this.#lane.close()
    this.#agent.maxFreeSockets = 0
    for (const sockets of Object.values(this.#agent.freeSockets)) for (const socket of sockets ?? []) socket.destroy()
  }
}

const LIVENESS_TIMEOUT_MS = 1_000

/**
 * A connect fails with these when no process accepts it. A reset means that the process died with the connection in
 * its backlog. Other errors (a full backlog, no file descriptors) say nothing about the process.
 */
const NOBODY_LISTENS = new Set(['ECONNREFUSED', 'ENOENT', 'ECONNRESET'])

/** A separate function, so that the listener of a long connection does not keep the objects it began with. */
function destroyOnError(socket: net.Socket): void {
  socket.on('error', () => socket.destroy())
}

/** An agent for one request that uses this connection. */
function agentOf(socket: net.Socket): http.Agent {
  const agent = new http.Agent({ keepAlive: false })
  return Object.assign(agent, { createConnection: () => socket })
}

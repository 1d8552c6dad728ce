import { EventEmitter, once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import http, { type IncomingMessage, type ServerResponse } from 'node:http'
import net from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Duplex } from 'node:stream'
import { within } from './deadline.js'
import type { Harness } from './harness.js'

export interface SeenRequest {
  method: string
  url: string
  headers: http.IncomingHttpHeaders
  rawHeaders: string[]
  body: Buffer
  /** The whole body has arrived. */
  complete: boolean
  /** The request was cut before it was answered. */
  aborted: boolean
}

export type TargetHandler = (request: IncomingMessage, response: ServerResponse, seen: SeenRequest) => void
export type TargetUpgradeHandler = (request: IncomingMessage, socket: Duplex, head: Buffer) => void

/** A path for a unix socket, in a folder that is removed after the test. */
export function socketPathFor(t: Harness, name = 't'): string {
  const folder = mkdtempSync(join(tmpdir(), 'op-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  return join(folder, `${name}.sock`)
}

/** A node:http server on a unix socket that records its requests, probes excepted. */
export class FakeTarget {
  readonly requests: SeenRequest[] = []
  readonly server: http.Server
  /** Every connection but those of probes. */
  connections = 0
  open = 0
  healthy = true
  probes = 0
  readonly #sockets = new Set<net.Socket>()

  private constructor(
    readonly name: string,
    readonly socketPath: string,
    handler: TargetHandler | undefined,
    onUpgrade: TargetUpgradeHandler | undefined,
  ) {
    this.server = http.createServer({ keepAliveTimeout: 75_000 })
    this.server.on('connection', (socket: net.Socket) => this.#track(socket))
    const serve = (request: IncomingMessage, response: ServerResponse): void => {
      if (request.url === '/health') this.#answerProbe(response)
      else (handler ?? this.#greet)(request, response, this.#record(request, response))
    }
    this.server.on('request', serve)
    if (onUpgrade !== undefined) this.server.on('upgrade', onUpgrade)
  }

  static async start(
    t: Harness,
    name: string,
    handler?: TargetHandler,
    { onUpgrade, socketPath = socketPathFor(t, name) }: { onUpgrade?: TargetUpgradeHandler; socketPath?: string } = {},
  ): Promise<FakeTarget> {
    const target = new FakeTarget(name, socketPath, handler, onUpgrade)
    await new Promise<void>(resolve => target.server.listen(socketPath, resolve))
    t.teardown(() => target.kill())
    return target
  }

  get spec(): { id: string; socketPath: string; draining: boolean } {
    return { id: this.name, socketPath: this.socketPath, draining: false }
  }

  /** Behaves as if the process had exited: stops listening and cuts every connection. */
  kill(): Promise<void> {
    return new Promise(resolve => {
      this.server.close(() => resolve())
      for (const socket of this.#sockets) socket.destroy()
    })
  }

  cutConnections(): void {
    for (const socket of this.#sockets) socket.destroy()
  }

  /** Answers once the body is in. */
  readonly #greet: TargetHandler = (request, response) => {
    request.resume().once('end', () => {
      const body = `hello from ${this.name}\n`
      response.writeHead(200, { 'content-type': 'text/plain', 'content-length': body.length, 'x-target': this.name })
      response.end(body)
    })
  }

  #track(socket: net.Socket): void {
    this.connections += 1
    this.open += 1
    this.#sockets.add(socket)
    socket.once('close', () => {
      this.open -= 1
      this.#sockets.delete(socket)
    })
    socket.on('error', () => undefined)
  }

  #answerProbe(response: ServerResponse): void {
    this.probes += 1
    this.connections -= 1
    if (this.healthy) response.end('OK')
    else response.writeHead(500).end()
  }

  #record(request: IncomingMessage, response: ServerResponse): SeenRequest {
    const { method = '', url = '', headers, rawHeaders } = request
    const seen = { method, url, headers, rawHeaders, body: Buffer.alloc(0), complete: false, aborted: false }
    const chunks: Buffer[] = []
    const push = request.push.bind(request)
    // The raw data is watched: the handler alone decides when the body is read.
    request.push = (chunk: Buffer | null, encoding) => {
      if (chunk === null) {
        seen.body = Buffer.concat(chunks)
        seen.complete = true
      } else chunks.push(chunk)
      return push(chunk, encoding)
    }
    response.once('close', () => (seen.aborted = !response.writableFinished))
    this.requests.push(seen)
    return seen
  }
}

/** The action of a misbehaving target on a connection, after the head of a request has arrived. */
export type RawScript = (socket: net.Socket, head: string, rest: Buffer) => void

/**
 * A bare server on a unix socket that answers probes well and everything else as its script says. Script and test
 * communicate by its events.
 */
export class RawTarget extends EventEmitter {
  /** The heads of the requests it was sent. */
  readonly heads: string[] = []
  /** Behaves like a process that is exiting: accepts connections for a moment and drops them. */
  dying = false
  readonly #server: net.Server
  readonly #sockets = new Set<net.Socket>()

  private constructor(
    readonly name: string,
    readonly socketPath: string,
    script: RawScript,
    allowHalfOpen: boolean,
  ) {
    super()
    this.#server = net.createServer({ allowHalfOpen }, socket => {
      this.#sockets.add(socket)
      socket.once('close', () => this.#sockets.delete(socket)).on('error', () => undefined)
      this.#serve(socket, script)
    })
  }

  static async start(
    t: Harness,
    name: string,
    script: RawScript,
    { allowHalfOpen = false }: { allowHalfOpen?: boolean } = {},
  ): Promise<RawTarget> {
    const target = new RawTarget(name, socketPathFor(t, name), script, allowHalfOpen)
    await new Promise<void>(resolve => target.#server.listen(target.socketPath, resolve))
    t.teardown(() => target.kill())
    return target
  }

  get spec(): { id: string; socketPath: string; draining: boolean } {
    return { id: this.name, socketPath: this.socketPath, draining: false }
  }

  get open(): number {
    return this.#sockets.size
  }

  async next(event: string): Promise<void> {
    await within(once(this, event), event)
  }

  kill(): Promise<void> {
    return new Promise(resolve => {
      this.#server.close(() => resolve())
      for (const socket of this.#sockets) socket.destroy()
    })
  }

  #serve(socket: net.Socket, script: RawScript): void {
    let received: Buffer = Buffer.alloc(0)
    const onData = (chunk: Buffer): void => {
      received = Buffer.concat([received, chunk])
      const end = received.indexOf('\r\n\r\n')
      if (end < 0) return
      const head = received.subarray(0, end + 4).toString('latin1')
      const rest = received.subarray(end + 4)
      if (this.dying) {
        socket.destroy()
        return
      }
      if (head.startsWith('GET /health ')) {
        socket.end('HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nOK')
        return
      }
      socket.off('data', onData)
      this.heads.push(head)
      script(socket, head, rest)
      socket.resume()
    }
    socket.on('data', onData)
  }
}

import { Server } from 'node:http'
import net from 'node:net'
import type { ServedBy } from '../ipc/messages.js'
import { AppHandle, listenByDescriptor, type Address } from './app-handle.js'
import { keepListenContext } from './listen-context.js'
import { isEverywhere, listenCall, type ListenCall } from './listen-call.js'
import { OwnPort } from './own-port.js'
import { Relay, type Receiver } from './relay.js'
import { UnservedListeners } from './unserved-listeners.js'

/** Receives the changes of the app's listeners. */
export interface ListenersObserver {
  /** The server that answers on the public port from now on. */
  published(server: Server, by: ServedBy): void
  /** Something about a listener that people should know. */
  remarked(remark: string): void
}

type PortCall = Extract<ListenCall, { kind: 'port' }>
type DescriptorCall = Extract<ListenCall, { kind: 'descriptor' }>

/**
 * The listeners of an app. The one on PORT is public. Every other listener is the app's own and is left to Node. While
 * none is public, the first on another port and all interfaces is a candidate, which `decide` makes public beside its
 * port.
 */
export class AppListeners {
  // eslint-disable-next-line @typescript-eslint/unbound-method -- called with a `this` each time
  readonly #listen = net.Server.prototype.listen as (this: net.Server, ...args: unknown[]) => net.Server
  #public: Receiver | undefined
  #host: string | undefined
  /** Public, but not by a listen on PORT: one on PORT takes its place. */
  #standIn: OwnPort | 'export' | undefined
  readonly #candidates: OwnPort[] = []
  #decided = false
  #socketPath: string | undefined
  #socket: Relay | undefined
  #observer: ListenersObserver | undefined
  readonly #remarks: string[] = []
  readonly #unserved: UnservedListeners

  /** @param port the public one, which the app finds in its environment */
  constructor(private readonly port: number) {
    this.#unserved = new UnservedListeners(port, reason => this.#remark(reason))
  }

  install(): void {
    const takes = (server: net.Server, args: unknown[]): boolean => this.#takes(server, args)
    const listen = this.#listen
    net.Server.prototype.listen = function (this: net.Server, ...args: unknown[]) {
      return takes(this, args) ? this : Reflect.apply(listen, this, args)
    } as typeof net.Server.prototype.listen
  }

  isPublished(): boolean {
    return this.#public !== undefined
  }

  /** The address that the app asked for with its listen on PORT; undefined for all addresses. */
  get host(): string | undefined {
    return this.#host
  }

  /** Why nothing is served yet, as far as the app's listeners show it. */
  get obstacle(): string | undefined {
    return this.#unserved.reason
  }

  /** Ports of the listeners that may become public. */
  get candidatePorts(): number[] {
    return this.#candidates.map(({ port }) => port)
  }

  get #servedBy(): ServedBy {
    if (this.#standIn === undefined) return 'public-port'
    return this.#standIn === 'export' ? 'export' : 'other-port'
  }

  /** Reports the events so far, and then each new one. */
  observe(observer: ListenersObserver): void {
    this.#observer = observer
    for (const remark of this.#remarks.splice(0)) observer.remarked(remark)
    if (this.#public !== undefined) observer.published(this.#public.server as Server, this.#servedBy)
  }

  /** No longer waits for a listen on PORT: the first candidate becomes public, and each later one does so at once. */
  decide(): void {
    this.#decided = true
    const [first] = this.#candidates
    if (first !== undefined && this.#public === undefined) this.#publishCandidate(first)
  }

  /** Makes the server public that the app exports. It listens already if the app says so. */
  publish(server: Server): void {
    if (this.#public !== undefined) return
    this.#standIn = 'export'
    this.#setPublic(this.#fakeListen(server))
  }

  /** Opens the worker's socket. Resolves when balancers can connect. */
  async serve(socketPath: string): Promise<void> {
    this.#socketPath = socketPath
    this.#openSocket()
    await this.#socket?.opened
  }

  /** Takes no new connections. The app's server does not notice. */
  retire(): void {
    this.#socketPath = undefined
    this.#closeSocket()
    if (this.#public instanceof OwnPort) this.#public.retire()
  }

  /** @returns false for a listen that is left to Node */
  #takes(server: net.Server, args: unknown[]): boolean {
    const call = listenCall(args)
    if (call.kind === 'path' && this.#public === undefined) this.#unserved.addOnPath(server, call.path)
    // Node has an error for a server that listens already.
    if (server.listening) return false
    if (call.kind === 'descriptor') {
      this.#announce(server, call)
      listenByDescriptor(server, call.fd)
      return true
    }
    if (call.kind !== 'port') return false
    keepListenContext(server)
    if (call.port === this.port) return this.#takesPublicPort(server, call)
    if (!(server instanceof Server) || this.#public !== undefined || !isEverywhere(call.host)) return false
    const candidate = new OwnPort(server as Server, call.port, port => this.#closed(port))
    this.#candidates.push(candidate)
    if (this.#decided) this.#publishCandidate(candidate)
    return false
  }

  #takesPublicPort(server: net.Server, call: PortCall): boolean {
    this.#announce(server, call)
    if (!(server instanceof Server)) {
      if (this.#unserved.addOnPort(server)) this.#fakeListen(server)
      return true
    }
    const handle = this.#fakeListen(server, call.host)
    if (this.#public !== undefined && this.#standIn === undefined) return true
    this.#host = call.host === '' ? undefined : call.host
    this.#standIn = undefined
    this.#setPublic(handle)
    return true
  }

  /** Node's own checks of `listen` are passed; its callback and its signal work as usual. */
  #announce(server: net.Server, { callback, signal }: PortCall | DescriptorCall): void {
    if (callback !== undefined) server.once('listening', callback)
    // Node, too, has the server listen first.
    if (signal?.aborted === true) process.nextTick(() => server.close())
    else signal?.addEventListener('abort', () => server.close(), { once: true })
  }

  #fakeListen(server: net.Server, host?: string): AppHandle {
    return AppHandle.listen(server, this.#publicAddress(host), handle => this.#closed(handle))
  }

  #publicAddress(host = ''): Address {
    // Node compiles its long patterns of addresses when it is first asked, so it is asked only about what may be one.
    const address = host === '' || net.isIP(host) === 0 ? '::' : host
    return { address, family: address.includes(':') ? 'IPv6' : 'IPv4', port: this.port }
  }

  #publishCandidate(candidate: OwnPort): void {
    this.#standIn = candidate
    this.#remark(`app does not listen on PORT=${this.port}: its listener on port ${candidate.port} is served there`)
    this.#setPublic(candidate)
  }

  #setPublic(receiver: Receiver): void {
    this.#public = receiver
    for (const candidate of this.#candidates.splice(0)) candidate.settle()
    this.#observer?.published(receiver.server as Server, this.#servedBy)
    this.#openSocket()
  }

  #closed(closed: AppHandle | OwnPort): void {
    const candidate = this.#candidates.findIndex(known => known === closed)
    if (candidate >= 0) this.#candidates.splice(candidate, 1)
    if (closed !== this.#public) return
    this.#public = undefined
    this.#standIn = undefined
    this.#closeSocket()
  }

  #openSocket(): void {
    if (this.#socketPath === undefined || this.#public === undefined || this.#socket !== undefined) return
    this.#socket = new Relay(this.#socketPath, this.#listen, () => this.#public)
    this.#socket.opened.catch((error: unknown) => this.#public?.server.emit('error', error))
  }

  #closeSocket(): void {
    this.#socket?.close()
    this.#socket = undefined
  }

  #remark(remark: string): void {
    if (this.#observer === undefined) this.#remarks.push(remark)
    else this.#observer.remarked(remark)
  }
}

import { Server } from 'node:http'
import net from 'node:net'

/** Where the app listens in place of the port that it asked for. */
export interface TakeoverOptions {
  /** The socket that the app's server really listens on. */
  socketPath: string
  /** The port that the app sees. */
  publicPort: number
}

/**
 * An app that calls `app.listen()` does so as ever: its first listen on a TCP port becomes the worker's own. What it
 * prints about its port is true, since the balancers serve it there. Any other listen runs as it is.
 */
export class ListenTakeover {
  #server: net.Server | undefined
  // eslint-disable-next-line @typescript-eslint/unbound-method -- called with a `this` each time
  readonly #listen = net.Server.prototype.listen
  /** Resolves with the server that was taken over, once it listens. */
  readonly taken: Promise<Server>
  #resolve: (server: Server) => void = () => undefined
  #settled = false

  constructor(private readonly options: TakeoverOptions) {
    this.taken = new Promise(resolve => (this.#resolve = resolve))
  }

  /** The app has called `listen`. */
  get hasTaken(): boolean {
    return this.#server !== undefined
  }

  /** The worker has a server already. A later listen succeeds without effect. */
  settle(): void {
    this.#settled = true
  }

  install(): void {
    // eslint-disable-next-line @typescript-eslint/no-this-alias -- the patched method has a `this` of its own
    const takeover = this
    const listen = this.#listen
    net.Server.prototype.listen = function (this: net.Server, ...args: unknown[]) {
      if (!takeover.#wants(this, args)) return Reflect.apply(listen, this, args) as net.Server
      return takeover.#take(this, args)
    } as typeof listen
  }

  #wants(server: net.Server, [first]: unknown[]): boolean {
    if (this.#server !== undefined || !(server instanceof Server)) return false
    if (typeof first === 'number' || first === undefined || typeof first === 'function') return true
    if (typeof first === 'string') return /^\d+$/.test(first)
    return typeof first === 'object' && first !== null && 'port' in first && first.port !== undefined
  }

  #take(server: net.Server, args: unknown[]): net.Server {
    this.#server = server
    const { socketPath: path, publicPort } = this.options
    const callback = args.find(argument => typeof argument === 'function') as (() => void) | undefined
    server.address = () => ({ address: '0.0.0.0', family: 'IPv4', port: publicPort })
    if (callback !== undefined) server.once('listening', callback)
    if (this.#settled) {
      process.nextTick(() => server.emit('listening'))
      return server
    }
    server.once('listening', () => this.#resolve(server as Server))
    // Exclusive: in a cluster worker any other listen would be made by the primary.
    return this.#listen.call(server, { path, exclusive: true })
  }
}

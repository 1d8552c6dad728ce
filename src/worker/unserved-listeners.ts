import { Server as HttpServer } from 'node:http'
import net from 'node:net'

/**
 * Detect-port, get-port and portfinder look for a free port with a bare server, which they close as soon as it listens.
 * So a server that speaks no HTTP is refused only when it stays open for longer.
 */
const PROBE_MS = 1_000

/** Listeners that people expect to be served, and that cannot be: other protocols on PORT, and unix paths. */
export class UnservedListeners {
  readonly #reasons = new Map<net.Server, string>()

  /**
   * @param port the public one
   * @param remark told of a unix path, which may be a side door
   */
  constructor(
    private readonly port: number,
    private readonly remark: (reason: string) => void,
  ) {}

  /** Why nothing is served, as far as these listeners tell. */
  get reason(): string | undefined {
    const [first] = this.#reasons.values()
    return first
  }

  /**
   * The server listens on PORT, and speaks no HTTP.
   * @returns whether it may be a probe of the port, which has to succeed
   */
  addOnPort(server: net.Server): boolean {
    const protocol = protocolOf(server)
    const advice = 'listen with http.createServer there, or with this server on another port'
    const reason = `app listens on PORT=${this.port} with ${protocol}, and Outpost serves HTTP there: ${advice}`
    this.#reasons.set(server, reason)
    if (protocol !== 'TCP') {
      process.nextTick(() => this.#refuse(server, reason))
      return false
    }
    const patience = setTimeout(() => this.#refuse(server, reason), PROBE_MS).unref()
    server.once('close', () => {
      clearTimeout(patience)
      this.#reasons.delete(server)
    })
    return true
  }

  /** The server listens on a unix path. It does not keep the app from being over, and then the reason names the path. */
  addOnPath(server: net.Server, path: string): void {
    if (!(server instanceof HttpServer) && protocolOf(server) === 'TCP') return
    const reason = `app listens on unix path ${path}, which is not served: have it listen on PORT=${this.port}`
    this.#reasons.set(server, reason)
    server.once('listening', () => server.unref())
    server.once('close', () => this.#reasons.delete(server))
    this.remark(reason)
  }

  #refuse(server: net.Server, reason: string): void {
    // Else Node prints it. The app may exit at the error, so nothing is left for later.
    if (server.listenerCount('error') > 0) process.stderr.write(`${reason}\n`)
    server.emit('error', new Error(reason))
  }
}

function protocolOf(server: net.Server): string {
  if (isTls(server)) return 'TLS'
  return server.constructor === net.Server ? 'TCP' : 'HTTP/2'
}

/** Only an app that has loaded the module can have such a server; most apps have none, and the module takes a while to load. */
function isTls(server: net.Server): boolean {
  if (server.constructor === net.Server) return false
  const { Server } = process.getBuiltinModule('node:tls')
  return server instanceof Server
}

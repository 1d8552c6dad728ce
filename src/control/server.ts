import http from 'node:http'
import type { Duplex } from 'node:stream'
import type { Service } from '../process/service.js'
import { CommandAnswer, problemOf } from './command-answer.js'
import { carriesBody, pathOf } from './command-request.js'
import { commandRoutes, type CommandRoute } from './command-routes.js'
import type { Commands } from './commands.js'
import { ControlConnections } from './control-connections.js'
import type { Door } from './door.js'
import { contentTypes, ControlError, controlErrors, routes, type ControlErrorCode, type RouteName } from './protocol.js'

const MAX_CONNECTIONS = 32
const MAX_HEAD_BYTES = 16 * 1024
const HEAD_TIMEOUT_MS = 5_000
const CHECK_INTERVAL_MS = 1_000

const TAKES_BODY = new Set<RouteName | undefined>([
  'scale',
  'deploy',
  'rollback',
  'setEnvironment',
  'pause',
  'maintain',
  'createToken',
  'revokeToken',
  'upgrade',
])

/** The control API behind one door. A command that takes no body is refused with one. */
export class ControlServer implements Service {
  readonly #server: http.Server
  readonly #routes: Record<RouteName, CommandRoute>
  readonly #open = new Set<CommandAnswer>()
  readonly #connections: ControlConnections
  #stopped: Promise<void> | undefined

  constructor(
    private readonly door: Door,
    commands: Commands,
  ) {
    this.#routes = commandRoutes(commands)
    const limits = {
      maxHeaderSize: MAX_HEAD_BYTES,
      headersTimeout: HEAD_TIMEOUT_MS,
      // A body has a deadline of its own: see `bodyOf` and `archiveOf`.
      requestTimeout: 0,
      connectionsCheckingInterval: CHECK_INTERVAL_MS,
    }
    this.#server = http.createServer(limits, (request, response) => this.#serve(request, response))
    this.#connections = new ControlConnections(this.#server, MAX_CONNECTIONS)
    this.#server.on('clientError', refuseUnreadable)
  }

  start(): Promise<void> {
    return this.door.open(this.#server)
  }

  /** The port, of one that has a port. */
  get port(): number | undefined {
    const address = this.#server.address()
    return typeof address === 'object' ? address?.port : undefined
  }

  /** Fails the commands under way and closes every connection. */
  stop(): Promise<void> {
    this.#stopped ??= new Promise(resolve => {
      this.#server.close(() => resolve())
      for (const answer of this.#open) answer.failed(new ControlError('STOPPING'))
      this.#server.closeAllConnections()
    })
    return this.#stopped
  }

  #serve(request: http.IncomingMessage, response: http.ServerResponse): void {
    const answer = new CommandAnswer(request, response)
    this.#open.add(answer)
    response.once('close', () => this.#open.delete(answer))
    const path = pathOf(request)
    const found = (Object.keys(routes) as RouteName[]).filter(name => isAt(name, path))
    const name = found.find(name => routes[name].method === request.method)
    const refusal = this.door.refusalOf(request, name)
    if (refusal === undefined) this.#connections.admit(request.socket)
    if (this.#stopped !== undefined) answer.failed(new ControlError('STOPPING'))
    else if (refusal !== undefined) answer.failed(new ControlError(refusal), refusalHeaders(refusal))
    else if (carriesBody(request) && !TAKES_BODY.has(name))
      answer.failed(new ControlError('UNEXPECTED_BODY'), { connection: 'close' })
    else if (name !== undefined) {
      this.#endWithPermission(answer, request, response)
      void this.#carryOut(name, answer, request, response)
    } else if (found.length === 0) answer.failed(new ControlError('UNKNOWN_ROUTE'))
    else answer.failed(new ControlError('WRONG_METHOD'), { allow: found.map(name => routes[name].method).join(', ') })
  }

  /** A command that has begun goes on, but its client gets nothing more, and nothing more of it is taken. */
  #endWithPermission(answer: CommandAnswer, request: http.IncomingMessage, response: http.ServerResponse): void {
    const permission = this.door.permissionOf(request)
    const end = (): void => {
      if (request.complete) answer.failed(new ControlError('UNAUTHORIZED'), refusalHeaders('UNAUTHORIZED'))
      else request.destroy()
    }
    permission?.addEventListener('abort', end)
    response.once('close', () => permission?.removeEventListener('abort', end))
  }

  async #carryOut(
    name: RouteName,
    answer: CommandAnswer,
    ...exchange: [http.IncomingMessage, http.ServerResponse]
  ): Promise<void> {
    try {
      await this.#routes[name](answer, ...exchange)
    } catch (error) {
      answer.failed(error instanceof ControlError ? error : commandFailed(error))
    }
  }
}

/** Nobody keeps a connection without a token. */
function refusalHeaders(code: ControlErrorCode): Record<string, string> {
  return { connection: 'close', ...(code === 'UNAUTHORIZED' && { 'www-authenticate': 'Bearer' }) }
}

/** The reason is included, because the client is the user of Outpost. */
function commandFailed(cause: unknown): ControlError {
  const { code = '', message = String(cause) } = cause as Partial<NodeJS.ErrnoException>
  const reason = ['ENOSPC', 'EDQUOT'].includes(code) ? 'the disk is full' : message
  const sentence = controlErrors.COMMAND_FAILED.detail.slice(0, -1)
  return new ControlError('COMMAND_FAILED', { message: `${sentence}: ${reason}`, cause })
}

/** Whether a path is that of a route, which may name a release in it. */
function isAt(name: RouteName, path: string): boolean {
  const own = routes[name].path.split('/')
  const given = path.split('/')
  if (own.length !== given.length) return false
  return own.every((part, i) => (part === '{release}' ? RELEASE.test(given[i] ?? '') : part === given[i]))
}

const RELEASE = /^[\w-]{1,64}$/

/** Answers bytes that are not a request, and closes their connection. */
function refuseUnreadable(error: NodeJS.ErrnoException, socket: Duplex): void {
  if (!socket.writable || error.code === 'ECONNRESET') {
    socket.destroy()
    return
  }
  const problem = problemOf(new ControlError(codeOf(error)))
  const body = `${JSON.stringify(problem)}\n`
  const head =
    `HTTP/1.1 ${problem.status} ${problem.title}\r\nContent-Type: ${contentTypes.problem}\r\n` +
    `Content-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n`
  socket.end(head + body, () => socket.destroy())
}

function codeOf({ code }: NodeJS.ErrnoException): 'COMMAND_TOO_LARGE' | 'COMMAND_TIMEOUT' | 'MALFORMED_COMMAND' {
  if (code === 'HPE_HEADER_OVERFLOW') return 'COMMAND_TOO_LARGE'
  return code === 'ERR_HTTP_REQUEST_TIMEOUT' ? 'COMMAND_TIMEOUT' : 'MALFORMED_COMMAND'
}

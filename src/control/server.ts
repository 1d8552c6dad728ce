import http from 'node:http'
import type { Duplex, Readable } from 'node:stream'
import type { Service } from '../process/service.js'
import { Answer, problemOf } from './answer.js'
import { archiveOf, bodyOf, hasBody, pathOf, queryOf } from './command-request.js'
import type { Door } from './door.js'
import { sendLog, type Log } from './log-answer.js'
import { describeControlApi } from './openapi.js'
import {
  activateQuerySchema,
  contentTypes,
  ControlError,
  createTokenSchema,
  deployQuerySchema,
  logsQuerySchema,
  environmentChangeSchema,
  maintenanceWantedSchema,
  pauseSchema,
  revokeTokenSchema,
  rollbackSchema,
  routes,
  scaleSchema,
  type ControlErrorCode,
  type Deployed,
  type DeployProgress,
  type DeployQuery,
  type EnvironmentChange,
  type MaintenanceSet,
  type MaintenanceWanted,
  type Pause,
  type Paused,
  type Progress,
  type ReleaseInfo,
  type Reloaded,
  type Resumed,
  type RouteName,
  type RunPlace,
  type Scale,
  type Scaled,
  type Status,
  type TokenInfo,
} from './protocol.js'

/** The commands that the server carries out. */
export interface Commands {
  status(): Status
  /**
   * Waits until the first request can be answered.
   * @throws {Error} a worker failed before that; its `lastLines` are the last output of that worker
   */
  serving(): Promise<void>
  readonly log: Log
  /**
   * Replaces every worker.
   * @param onProgress called for each worker that has been replaced
   * @throws {Error} a new worker failed; its `lastLines`, if any, are the last output of that worker
   */
  reload(onProgress: (event: Progress) => void): Promise<Reloaded>
  /**
   * Changes how many processes are wanted.
   * @throws {ControlError} `MODE_IS_FIXED`
   */
  scale(wanted: Scale): Scaled
  /** The releases that are known, the newest first. */
  releases(): ReleaseInfo[]
  /**
   * Receives a release and makes it the live one.
   * @param archive a tar stream
   * @throws {ControlError} the release before goes on
   */
  deploy(archive: Readable, query: DeployQuery, onProgress: (event: DeployProgress) => void): Promise<Deployed>
  /** The variables that were set for the live release. */
  environment(): Record<string, string>
  /**
   * Changes variables of the app by a release of their own.
   * @throws {ControlError} the release before goes on
   */
  setEnvironment(change: EnvironmentChange, onProgress: (event: DeployProgress) => void): Promise<Deployed>
  /** Where a one-off command of the live release runs. */
  runPlace(): RunPlace
  /**
   * Makes a release live that is in preview, or was kept.
   * @throws {ControlError} the release before goes on
   */
  activate(
    release: string,
    stages: DeployQuery['stages'],
    onProgress: (event: DeployProgress) => void,
  ): Promise<Deployed>
  /**
   * Goes back to an earlier release.
   * @param release undefined: the one before
   * @throws {ControlError} the release that was live goes on
   */
  rollback(release: string | undefined, onProgress: (event: DeployProgress) => void): Promise<Deployed>
  /**
   * Lets requests wait.
   * @throws {ControlError} `STILL_IN_FLIGHT`
   */
  pause(pause: Pause): Promise<Paused>
  /** Lets requests go on. */
  resume(): Promise<Resumed>
  /**
   * Answers clients with a page, or no longer.
   * @throws {ControlError} `INVALID_BODY`
   */
  maintain(wanted: MaintenanceWanted): Promise<MaintenanceSet>
  /** Who may speak to it over TCP. */
  readonly tokens: {
    list(): TokenInfo[]
    /** @throws {ControlError} `TOO_MANY_TOKENS` */
    create(name: string): { id: string; token: string }
    /** @throws {ControlError} `UNKNOWN_TOKEN` */
    revoke(id: string): void
  }
  /** Begins to stop the instance, as SIGTERM does. */
  stop(): void
}

const MAX_CONNECTIONS = 32
const MAX_HEAD_BYTES = 16 * 1024
const MAX_ENVIRONMENT_BYTES = 256 * 1024
/** A page of 256 KiB in JSON. */
const MAX_MAINTENANCE_BYTES = 2 * 1024 * 1024
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
])

/** The control API behind one door. A command that takes no body is refused with one. */
export class ControlServer implements Service {
  readonly #server: http.Server
  readonly #open = new Set<Answer>()
  #stopped: Promise<void> | undefined

  constructor(
    private readonly door: Door,
    private readonly commands: Commands,
  ) {
    const limits = {
      maxHeaderSize: MAX_HEAD_BYTES,
      headersTimeout: HEAD_TIMEOUT_MS,
      // A body has a deadline of its own: see `bodyOf` and `archiveOf`.
      requestTimeout: 0,
      connectionsCheckingInterval: CHECK_INTERVAL_MS,
    }
    this.#server = http.createServer(limits, (request, response) => this.#serve(request, response))
    this.#server.maxConnections = MAX_CONNECTIONS
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
    const answer = new Answer(request, response)
    this.#open.add(answer)
    response.once('close', () => this.#open.delete(answer))
    const path = pathOf(request)
    const found = (Object.keys(routes) as RouteName[]).filter(name => isAt(name, path))
    const name = found.find(name => routes[name].method === request.method)
    const refusal = this.door.refusalOf(request, name)
    if (this.#stopped !== undefined) answer.failed(new ControlError('STOPPING'))
    else if (refusal !== undefined) answer.failed(new ControlError(refusal), refusalHeaders(refusal))
    else if (hasBody(request) && !TAKES_BODY.has(name))
      answer.failed(new ControlError('UNEXPECTED_BODY'), { connection: 'close' })
    else if (name !== undefined) void this.#carryOut(name, answer, request, response)
    else if (found.length === 0) answer.failed(new ControlError('UNKNOWN_ROUTE'))
    else answer.failed(new ControlError('WRONG_METHOD'), { allow: found.map(name => routes[name].method).join(', ') })
  }

  async #carryOut(
    name: RouteName,
    answer: Answer,
    ...exchange: [http.IncomingMessage, http.ServerResponse]
  ): Promise<void> {
    try {
      await this.#routes[name](answer, ...exchange)
    } catch (error) {
      answer.failed(error instanceof ControlError ? error : commandFailed(error))
    }
  }

  readonly #routes: Record<
    RouteName,
    (answer: Answer, request: http.IncomingMessage, response: http.ServerResponse) => Promise<void> | void
  > = {
    status: answer => answer.document(this.commands.status()),
    openapi: answer => answer.document(describeControlApi()),
    serving: async answer => {
      await this.commands.serving().catch(failedWith('START_FAILED'))
      answer.document(this.commands.status())
    },
    logs: (answer, request) => {
      const query = logsQuerySchema.safeParse(queryOf(request))
      if (!query.success) throw new ControlError('INVALID_QUERY')
      sendLog(this.commands.log, answer, query.data)
    },
    reload: async answer => {
      answer.begin()
      const { replaced } = await this.commands
        .reload(event => answer.progress(event))
        .catch(failedWith('RELOAD_FAILED'))
      answer.done({ event: 'done', replaced })
    },
    scale: async (answer, request) => {
      const wanted = scaleSchema.safeParse(await bodyOf(request))
      if (!wanted.success) throw new ControlError('INVALID_BODY')
      answer.document(this.commands.scale(wanted.data))
    },
    releases: answer => answer.document({ releases: this.commands.releases() }),
    deploy: async (answer, request) => {
      answer.outlastsBody = true
      const query = deployQuerySchema.safeParse(queryOf(request))
      if (!query.success) throw new ControlError('INVALID_QUERY')
      answer.begin()
      const deployed = await this.commands.deploy(archiveOf(request), query.data, event => answer.progress(event))
      answer.done({ event: 'done', ...deployed })
    },
    environment: answer => answer.document({ env: this.commands.environment() }),
    setEnvironment: async (answer, request) => {
      const change = environmentChangeSchema.safeParse(await bodyOf(request, MAX_ENVIRONMENT_BYTES))
      if (!change.success) throw new ControlError('INVALID_BODY')
      answer.begin()
      const deployed = await this.commands.setEnvironment(change.data, event => answer.progress(event))
      answer.done({ event: 'done', ...deployed })
    },
    run: answer => answer.document(this.commands.runPlace()),
    activate: async (answer, request) => {
      const query = activateQuerySchema.safeParse(queryOf(request))
      if (!query.success) throw new ControlError('INVALID_QUERY')
      const release = releaseIn(pathOf(request))
      answer.begin()
      const deployed = await this.commands.activate(release, query.data.stages, event => answer.progress(event))
      answer.done({ event: 'done', ...deployed })
    },
    rollback: async (answer, request) => {
      const wanted = rollbackSchema.safeParse(hasBody(request) ? await bodyOf(request) : {})
      if (!wanted.success) throw new ControlError('INVALID_BODY')
      answer.begin()
      const deployed = await this.commands.rollback(wanted.data.release, event => answer.progress(event))
      answer.done({ event: 'done', ...deployed })
    },
    pause: async (answer, request) => {
      const pause = pauseSchema.safeParse(hasBody(request) ? await bodyOf(request) : {})
      if (!pause.success) throw new ControlError('INVALID_BODY')
      answer.document(await this.commands.pause(pause.data))
    },
    resume: async answer => answer.document(await this.commands.resume()),
    maintain: async (answer, request) => {
      const wanted = maintenanceWantedSchema.safeParse(await bodyOf(request, MAX_MAINTENANCE_BYTES))
      if (!wanted.success) throw new ControlError('INVALID_BODY')
      answer.document(await this.commands.maintain(wanted.data))
    },
    tokens: answer => answer.document({ tokens: this.commands.tokens.list() }),
    createToken: async (answer, request) => {
      const wanted = createTokenSchema.safeParse(hasBody(request) ? await bodyOf(request) : {})
      if (!wanted.success) throw new ControlError('INVALID_BODY')
      answer.document(this.commands.tokens.create(wanted.data.name))
    },
    revokeToken: async (answer, request) => {
      const wanted = revokeTokenSchema.safeParse(await bodyOf(request))
      if (!wanted.success) throw new ControlError('INVALID_BODY')
      this.commands.tokens.revoke(wanted.data.id)
      answer.document({ revoked: wanted.data.id })
    },
    stop: (answer, _request, response) => {
      answer.begin()
      // This is done even if the client has left before its answer.
      response.once('close', () => this.commands.stop())
      answer.done({ event: 'stopping', pid: process.pid }, 202)
    },
  }
}

/** Nobody keeps a connection without a token. */
function refusalHeaders(code: ControlErrorCode): Record<string, string> {
  return { connection: 'close', ...(code === 'UNAUTHORIZED' && { 'www-authenticate': 'Bearer' }) }
}

/** The reason is included, because the client is the user of Outpost. */
function commandFailed(cause: unknown): ControlError {
  return new ControlError('COMMAND_FAILED', { message: String(cause), cause })
}

function failedWith(code: ControlErrorCode): (cause: unknown) => never {
  return cause => {
    if (cause instanceof ControlError) throw cause
    const { message, lastLines } = cause as Error & { lastLines?: readonly string[] }
    throw new ControlError(code, { message, cause, ...(lastLines === undefined ? {} : { lastLines }) })
  }
}

/** Whether a path is that of a route, which may name a release in it. */
function isAt(name: RouteName, path: string): boolean {
  const own = routes[name].path.split('/')
  const given = path.split('/')
  if (own.length !== given.length) return false
  return own.every((part, i) => (part === '{release}' ? RELEASE.test(given[i] ?? '') : part === given[i]))
}

const RELEASE = /^[\w-]{1,64}$/

function releaseIn(path: string): string {
  return path.split('/')[3] ?? ''
}

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

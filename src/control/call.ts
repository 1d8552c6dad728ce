import http from 'node:http'
import type { Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import type * as z from 'zod'
import { controlSocketIn } from './control-socket.js'
import {
  ControlError,
  controlErrors,
  problemSchema,
  routes,
  type ControlErrorCode,
  type DeployReport,
  type RouteName,
} from './protocol.js'
import type { UpgradeWait } from './upgrade-wait.js'

/** Nothing listens on the control socket. */
export class NotRunningError extends Error {
  constructor(dataDir: string, cause: unknown) {
    super(`no Outpost runs on ${dataDir}`, { cause })
    this.name = 'NotRunningError'
  }
}

/** The primary has the command, but its answer is late. */
export class NoAnswerError extends Error {
  constructor(dataDir: string, timeoutMs: number, method: string) {
    const rest = method === 'GET' ? 'its primary may be stopped or overloaded' : 'the command may still be carried out'
    super(`Outpost on ${dataDir} has not answered within ${timeoutMs / 1_000} s; ${rest}`)
    this.name = 'NoAnswerError'
  }
}

/** Where an instance is asked. */
export interface InstancePlace {
  readonly socketPath: string
  /** For messages. */
  readonly dataDir: string
  /** Waits while an upgrade is under way. Undefined: a command fails at once if there is no instance. */
  readonly wait?: UpgradeWait | undefined
}

/** The place of a DATA_DIR. Each program that takes over may have its socket elsewhere. */
export function instancePlace(dataDir: string, wait?: UpgradeWait): InstancePlace {
  return {
    dataDir,
    wait,
    get socketPath() {
      return controlSocketIn(dataDir)
    },
  }
}

export interface Asking {
  /** Undefined for an answer without an end. */
  timeoutMs?: number
  body?: string | Readable
  search?: string
  /** Named in the path. */
  release?: string
  signal?: AbortSignal
}

/**
 * Asks an instance for one thing, over a connection of its own. Resolves with the head of a good answer; the deadline
 * also ends a body that does not.
 * @throws {NotRunningError | ControlError}
 */
export async function call(
  place: InstancePlace,
  route: RouteName,
  accept: string,
  asking: Asking,
): Promise<http.IncomingMessage> {
  for (;;) {
    try {
      return await callOnce(place, route, accept, asking)
    } catch (error) {
      // A stream was read in part.
      if (typeof asking.body === 'object' || !(await isToBeRepeated(error, route, place.wait))) throw error
    }
  }
}

/** Without a connection nothing was done. A command that was cut off may have been done, and may be done twice. */
async function isToBeRepeated(error: unknown, route: RouteName, wait: UpgradeWait | undefined): Promise<boolean> {
  if (wait === undefined) return false
  if (error instanceof NotRunningError) return wait.mayHaveCome()
  const isCut = error instanceof ControlError && error.code === 'STOPPING'
  return isCut && (routes[route].method === 'GET' || route === 'stop') && (await wait.isWorthwhile())
}

async function callOnce(
  { socketPath, dataDir }: InstancePlace,
  route: RouteName,
  accept: string,
  { timeoutMs, body, search = '', release = '', signal }: Asking,
): Promise<http.IncomingMessage> {
  const { method } = routes[route]
  const path = routes[route].path.replace('{release}', encodeURIComponent(release))
  const response = await new Promise<http.IncomingMessage>((resolve, reject) => {
    const options = { socketPath, method, path: path + search, headers: { accept }, agent: false, signal }
    const request = http.request(options)
    let begun: http.IncomingMessage | undefined
    const giveUp = (): void => {
      const late = new NoAnswerError(dataDir, timeoutMs ?? 0, method)
      if (begun === undefined) request.destroy(late)
      else begun.destroy(late)
    }
    const deadline = timeoutMs === undefined ? undefined : setTimeout(giveUp, timeoutMs)
    request.once('response', response => resolve((begun = response)))
    request.once('close', () => clearTimeout(deadline))
    request.once('error', (error: NodeJS.ErrnoException) => {
      // A path that is too long for a socket has none: see `controlSocketIn`.
      const absent = ['ENOENT', 'ECONNREFUSED', 'EINVAL'].includes(error.code ?? '')
      const left = ['ECONNRESET', 'EPIPE'].includes(error.code ?? '')
      if (absent) reject(new NotRunningError(dataDir, error))
      else reject(left ? new ControlError('STOPPING', { cause: error }) : error)
    })
    if (typeof body !== 'object') request.end(body)
    else {
      const fail = (cause: Error): void => {
        // Its code says nothing about the connection.
        const error = new Error(`the archive cannot be read: ${cause.message}`, { cause })
        begun?.destroy(error)
        request.destroy(error)
      }
      body.once('error', fail).pipe(request)
      // The rest of a body need not be sent once the answer is there.
      request.once('close', () => body.destroy())
    }
  })
  if ((response.statusCode ?? 0) < 300) return response
  const problem = parsed(problemSchema, await text(response))
  throw controlError({ ...problem, message: problem.detail })
}

/** The events of an answer, a line each. @throws {ControlError} `STOPPING`: the instance has ended before its answer */
export async function* linesOf(response: http.IncomingMessage): AsyncGenerator<string> {
  let unfinished = ''
  try {
    for await (const chunk of response.setEncoding('utf8') as AsyncIterable<string>) {
      const lines = (unfinished + chunk).split('\n')
      unfinished = lines.pop() ?? ''
      yield* lines
    }
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'ECONNRESET') throw cause
    throw new ControlError('STOPPING', { message: CUT, cause })
  }
}

const CUT = 'Outpost ended before its answer did; the command may have been carried out'

/** @throws {Error} it is not in the contract */
export function parsed<T>(schema: z.ZodType<T>, text: string): T {
  try {
    return schema.parse(JSON.parse(text))
  } catch (cause) {
    throw new Error(`the answer of the control API does not match its contract: ${text.slice(0, 200)}`, { cause })
  }
}

interface GivenError {
  code: string
  message: string
  lastLines?: readonly string[] | undefined
  report?: DeployReport | undefined
}

/** The error of a problem document or a `failed` event. */
export function controlError({ code, message, lastLines, report }: GivenError): ControlError {
  // The code is of another version.
  const known = code in controlErrors ? (code as ControlErrorCode) : 'COMMAND_FAILED'
  return new ControlError(known, { message, lastLines, report })
}

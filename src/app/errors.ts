import type { ErrorRequestHandler, Request, RequestHandler, Response } from 'express'
import { STATUS_CODES } from 'node:http'
import type { Logger } from '../process/log.js'
import type { SecurityEvent, SecurityEvents } from '../process/security-events.js'
import { CacheLoadError } from '../services/cache.js'
import { SourceIdleError } from '../services/idle-deadline.js'
import { HashQueueFullError } from './accounts/password-hasher.js'
import { isRedisUnavailable } from '../services/redis.js'
import { isStorageUnavailable, StorageFullError } from '../services/storage-errors.js'
import { QuotaReachedError } from './uploads/upload-quota.js'
import { UploadsBusyError } from './uploads/uploads.js'

/**
 * Every error the built-in app answers with: a stable code, its HTTP status and the sentence a client reads.
 * docs/errors.md lists the same rows; a test holds the two together.
 */
export const appErrors = {
  VALIDATION_FAILED: { status: 400, detail: 'Some values are invalid.' },
  MALFORMED_BODY: { status: 400, detail: 'The body does not match its headers.' },
  UNAUTHENTICATED: { status: 401, detail: 'A valid bearer token or session is required.' },
  INVALID_CREDENTIALS: { status: 401, detail: 'The username or the password is wrong.' },
  CROSS_ORIGIN: { status: 403, detail: 'A page of another origin may not do this with your session.' },
  NOT_OWNER: { status: 403, detail: 'This belongs to another account.' },
  NOT_FOUND: { status: 404, detail: 'There is nothing here.' },
  UPLOAD_STALLED: { status: 408, detail: 'The file did not arrive in time.' },
  USERNAME_TAKEN: { status: 409, detail: 'This username is taken.' },
  BODY_TOO_LARGE: { status: 413, detail: 'The body is too large.' },
  UNSUPPORTED_MEDIA_TYPE: { status: 415, detail: 'This type of body is not supported.' },
  RANGE_NOT_SATISFIABLE: { status: 416, detail: 'The range lies outside the file.' },
  RATE_LIMITED: { status: 429, detail: 'Too many requests from this address.' },
  LOGIN_BACKOFF: { status: 429, detail: 'Too many failed sign-ins to this account from this address.' },
  LOGIN_TURN: { status: 429, detail: 'Too many failed sign-ins to this account: wait for your turn.' },
  REGISTER_LIMITED: { status: 429, detail: 'Too many registrations of this username.' },
  INTERNAL: { status: 500, detail: 'Something broke on our side.' },
  HASHING_BUSY: { status: 503, detail: 'Too many sign-ins at this moment.' },
  UPLOADS_BUSY: { status: 503, detail: 'Too many uploads at this moment.' },
  STORAGE_UNAVAILABLE: { status: 503, detail: 'The object storage cannot be reached at this moment.' },
  REDIS_UNAVAILABLE: { status: 503, detail: 'The shared state cannot be reached at this moment.' },
  QUOTA_REACHED: { status: 507, detail: 'Your account has reached its storage quota: delete a file first.' },
  STORAGE_FULL: { status: 507, detail: 'The storage has too little space left to take more.' },
} as const

export type AppErrorCode = keyof typeof appErrors

/** One invalid value. */
export interface FieldFault {
  field: string
  reason: string
}

interface HttpErrorOptions extends ErrorOptions {
  faults?: readonly FieldFault[]
  retryAfterSeconds?: number
  /** The account that it concerns, for the log. */
  account?: string | undefined
}

/** For a service that is away or busy. */
const RETRY_AFTER_SECONDS = 1

/** An error whose answer is in the catalogue. */
export class HttpError extends Error {
  readonly status: number
  readonly faults: readonly FieldFault[] | undefined
  readonly retryAfterSeconds: number | undefined
  readonly account: string | undefined

  constructor(
    readonly code: AppErrorCode,
    { faults, retryAfterSeconds, account, ...options }: HttpErrorOptions = {},
  ) {
    super(appErrors[code].detail, options)
    this.name = 'HttpError'
    this.status = appErrors[code].status
    this.faults = faults
    this.retryAfterSeconds = retryAfterSeconds ?? (this.status === 503 ? RETRY_AFTER_SECONDS : undefined)
    this.account = account
  }
}

/** Answers that a defender wants to know of; docs/security.md lists the kinds. */
const SECURITY_EVENTS = new Map<AppErrorCode, [kind: SecurityEvent, message: string]>([
  ['INVALID_CREDENTIALS', ['sign-in-failed', 'sign-in was refused: the name or the password is wrong']],
  ['LOGIN_BACKOFF', ['limited', 'sign-in was refused: too many failed from this address']],
  ['LOGIN_TURN', ['limited', 'sign-in was refused: too many failed to this account']],
  ['REGISTER_LIMITED', ['limited', 'registration was refused: too many of this username']],
  ['RATE_LIMITED', ['limited', 'request was refused: too many from this address']],
  ['CROSS_ORIGIN', ['forbidden', 'request was refused: a page of another origin sent it']],
  ['NOT_OWNER', ['forbidden', 'request was refused: it is about a resource of another account']],
  ['QUOTA_REACHED', ['limited', 'upload was refused: the storage quota of the account is used up']],
])

/** The errors of parts, and their codes. The first row that fits counts. */
const CODES: ReadonlyArray<readonly [fits: (error: unknown) => boolean, code: AppErrorCode]> = [
  // Before Redis: errors of a connection read the same in both.
  [error => isStorageUnavailable(error) || error instanceof CacheLoadError, 'STORAGE_UNAVAILABLE'],
  [error => error instanceof UploadsBusyError, 'UPLOADS_BUSY'],
  [error => error instanceof StorageFullError, 'STORAGE_FULL'],
  [error => error instanceof QuotaReachedError, 'QUOTA_REACHED'],
  [error => error instanceof SourceIdleError, 'UPLOAD_STALLED'],
  [isRedisUnavailable, 'REDIS_UNAVAILABLE'],
  [error => error instanceof HashQueueFullError, 'HASHING_BUSY'],
  // The path does not decode to text, so it names nothing.
  [error => error instanceof URIError && statusOf(error) === 400, 'NOT_FOUND'],
  // Errors of Express and its body parsers carry the status they mean.
  [error => statusOf(error) === 400, 'MALFORMED_BODY'],
  [error => statusOf(error) === 413, 'BODY_TOO_LARGE'],
  [error => statusOf(error) === 415, 'UNSUPPORTED_MEDIA_TYPE'],
]

/** The one place that maps errors to answers. */
function toHttpError(error: unknown): HttpError {
  if (error instanceof HttpError) return error
  const code = CODES.find(([fits]) => fits(error))?.[1] ?? 'INTERNAL'
  return new HttpError(code, { cause: error })
}

/** Answers with `application/problem+json` (RFC 9457). Stack traces go to the log alone. */
export function answerErrors(log: Logger, events?: Pick<SecurityEvents, 'note'>): ErrorRequestHandler {
  // Express takes a function of four parameters for an error handler.
  return function answerError(error: unknown, request, response, _next) {
    const answer = toHttpError(error)
    const requestId = request.get('x-request-id')
    const event = SECURITY_EVENTS.get(answer.code)
    if (event !== undefined) {
      const { code, account = accountOf(request) } = answer
      const { ip: client, method, path } = request
      events?.note(...event, { code, client, account, method, path, requestId })
    }
    if (answer.status === 500) log.error({ err: error, requestId, path: request.path }, 'request failed')
    // Where saving the session has just failed, saving it at the end of this answer would fail, too, and express would
    // cut the connection under the finished answer.
    Reflect.deleteProperty(request, 'session')
    if (!response.headersSent) sendProblem(response, answer, requestId)
    else if (!response.writableEnded) response.destroy()
  }
}

export const answerNotFound: RequestHandler = () => {
  throw new HttpError('NOT_FOUND')
}

function sendProblem(response: Response, error: HttpError, requestId: string | undefined): void {
  const { code, status, message, faults, retryAfterSeconds } = error
  if (retryAfterSeconds !== undefined) response.set('Retry-After', String(retryAfterSeconds))
  if (status === 401) response.set('WWW-Authenticate', 'Bearer')
  const problem = {
    type: 'about:blank',
    title: STATUS_CODES[status],
    status,
    code,
    detail: message,
    errors: faults,
    requestId,
  }
  response
    .status(status)
    .set('Cache-Control', 'no-store')
    .type('application/problem+json')
    .send(JSON.stringify(problem))
}

/** The account that has sent a request. */
function accountOf({ res }: Request): string | undefined {
  return (res?.locals['signedIn'] as { username: string } | undefined)?.username
}

function statusOf(error: unknown): number | undefined {
  if (typeof error !== 'object' || error === null || !('status' in error)) return undefined
  return typeof error.status === 'number' ? error.status : undefined
}

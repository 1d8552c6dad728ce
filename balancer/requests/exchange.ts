import type { IncomingMessage, ServerResponse } from 'node:http'
import type { ClientIdentity } from '../contract/client-envelope.js'
import { opensSession } from '../contract/session-names.js'
import { answerProblem, type BalancerErrorCode } from '../errors.js'
import type { ClientAccount } from '../ledger/client-account.js'
import type { Entry } from '../targets/linked-list.js'
import type { InFlight, Target } from '../targets/target.js'
import { reset } from '../transports/reset.js'
import type { AnswerHead } from '../transports/answer.js'
import type {
  AnswerCopy,
  Attempt,
  AttemptFailure,
  ForwardedRequest,
  KeptAnswer,
  RequestBody,
} from '../transports/transport.js'
import { BodyProgress } from './body-progress.js'
import type { Deadlines } from './deadlines.js'
import type { Dispatchable, Dispatcher, Supervised } from './dispatcher.js'
import type { Suspect } from './suspects.js'
import { announcedBytes, bodyByHeaders, holdBody, mayBeWhole, takeWholeBody } from './request-body.js'
import { RequestShares } from './request-shares.js'
import { isRepeatable, type Failure } from './retry.js'
import { ANSWER_TO, Tries } from './tries.js'

/**
 * - `arriving`: its body is being read, so that it can be sent again
 * - `waiting`: for a target
 * - `sent`: at a target, no answer yet
 * - `answering`: the answer has begun, no retry is possible
 * - `over`
 */
type ExchangeState = 'arriving' | 'waiting' | 'sent' | 'answering' | 'over'

/** One request from its arrival to the end of its answer, over as many tries as it takes. */
export class Exchange implements Dispatchable, Suspect, InFlight, Supervised, ForwardedRequest {
  #state: ExchangeState = 'arriving'
  #response: ServerResponse
  #body: RequestBody = NO_BODY
  #target: Target | undefined
  #place: Entry | undefined
  #cookies: readonly string[] | undefined
  #attempt: Attempt | undefined
  /** The deadlines that it is under. */
  #deadlines: Deadlines<Supervised> | undefined
  #tries: Tries | undefined
  #targetsAtArrival = 0
  /** When a target first had the whole request, in the clock of `performance.now()`; 0 before. */
  #sentAt = 0
  /** When it was sent to its target; 0 while nobody measures that. */
  #measuredFrom = 0
  #progress: BodyProgress | undefined
  readonly #shares: RequestShares
  readonly isUpgrade = false
  deadline: Entry | undefined

  constructor(
    private readonly dispatcher: Dispatcher,
    readonly request: IncomingMessage,
    response: ServerResponse,
    readonly client: ClientIdentity,
    readonly requestId: string,
    readonly continueWanted: boolean,
    readonly owner: string | undefined,
    readonly account: ClientAccount,
  ) {
    this.#response = response
    this.#shares = new RequestShares(account, dispatcher.room)
  }

  get hasPlace(): boolean {
    return this.#shares.hasPlace
  }

  get bodyIsArriving(): boolean {
    return this.#state === 'sent' && this.#sentAt === 0 && !this.request.complete
  }

  get response(): ServerResponse {
    return this.#response
  }

  get body(): RequestBody {
    return this.#body
  }

  get closing(): boolean {
    return this.dispatcher.closing
  }

  get answering(): boolean {
    return this.#response.headersSent
  }

  get addedCookies(): readonly string[] | undefined {
    return this.#cookies
  }

  get opensSession(): boolean {
    return this.owner === undefined && opensSession(this.request)
  }

  nameSession(body: string): string {
    return this.#target === undefined ? body : this.dispatcher.sessions.write(body, this.#target.id)
  }

  copyOf(answer: AnswerHead): AnswerCopy | undefined {
    return this.dispatcher.copyOf(this.request, answer)
  }

  keptAnswer(): KeptAnswer | undefined {
    return this.dispatcher.keptAnswer(this.request)
  }

  get tried(): ReadonlySet<Target> | undefined {
    return this.#tries?.targets
  }

  get lost(): readonly Target[] {
    return this.#tries?.lost ?? []
  }

  start(): void {
    this.#targetsAtArrival = this.dispatcher.pool.size
    this.#watchClient()
    this.dispatcher.retryBudget.recordRequest(performance.now())
    const { heldBodyBytes, shortBodyBytes } = this.dispatcher.options
    const body = bodyByHeaders(this.request, heldBodyBytes)
    const mayHold = body === undefined || (body.kind === 'stream' && mayBeWhole(this.request, shortBodyBytes))
    if (!mayHold) this.#dispatch(body)
    // Without memory for it, it cannot be sent again.
    else if (!this.#shares.takeBody(announcedBytes(this.request, heldBodyBytes))) this.#dispatch({ kind: 'stream' })
    else if (body === undefined) {
      this.#watchBody()
      holdBody(this.request, heldBodyBytes, held => {
        this.#waitWithin(undefined)
        this.#bodyRead(held)
      })
    } else takeWholeBody(this.request, held => this.#bodyRead(held))
  }

  #bodyRead(held: RequestBody): void {
    if (held.kind === 'stream') this.#shares.freeBody()
    if (this.#state === 'arriving') this.#dispatch(held)
  }

  takeTo(target: Target, bound: boolean, alone = false): void {
    this.#state = 'sent'
    this.#target = target
    this.#shares.takePlace(bound)
    this.#cookies = this.dispatcher.cookiesFor(this, target)
    this.#measuredFrom = this.dispatcher.tally.begin()
    this.#place = alone ? target.beginAlone(this) : target.begin(this, bound)
    target.send(this)
  }

  retry(): void {
    this.dispatcher.dispatch(this)
  }

  admitted(): void {
    this.dispatcher.dispatch(this)
  }

  giveUp(code: BalancerErrorCode): void {
    if (this.#state === 'over') return
    this.#endAttempt()
    this.#end()
    // A client that still waits for "100 Continue" may or may not send the body now, so the connection has to close. So
    // it has when the rest of the body could take for ever.
    const isSlow = code === 'REQUEST_TIMEOUT' || (code === 'OVERLOADED' && !this.request.complete)
    if (this.continueWanted || isSlow) this.#response.shouldKeepAlive = false
    const { maintenance } = this.dispatcher
    if (code === 'MAINTENANCE' && maintenance !== undefined)
      maintenance.give(this.request, this.#response, this.requestId)
    else answerProblem(this.#response, code, this.requestId)
    // The rest of the body is read and dropped: closing over unread bytes would cut the answer off.
    this.request.resume()
  }

  attemptBegun(attempt: Attempt): void {
    this.#attempt = attempt
  }

  attemptFailed(attempt: Attempt, failure: AttemptFailure): void {
    if (attempt === this.#attempt) this.#tryFailed(failure)
  }

  bodyBegun(): void {
    if (this.#state === 'sent') this.#watchBody()
  }

  /** The deadline for the answer counts from the first time, however often the request is sent. */
  bodySent(): void {
    if (this.#state !== 'sent') return
    const isFirst = this.#sentAt === 0
    if (isFirst) this.#sentAt = performance.now()
    this.#waitWithin(isFirst ? this.dispatcher.awaiting : this.dispatcher.progressing)
  }

  answerBegun(): void {
    this.#state = 'answering'
    this.#waitWithin(undefined)
    this.#measure()
    if (this.#target !== undefined) this.dispatcher.outliers.succeeded(this.#target)
    // Nothing is sent again from now on.
    this.#shares.freeBody()
    if (this.#body.kind === 'held') this.#body = NO_BODY
    // An answer that streams holds no place.
    this.noteAnswering()
  }

  answerComplete(): void {
    this.#endAttempt(false)
  }

  /** Cuts the connection, which is the only way to tell the client. */
  answerBroken(): void {
    this.dispatcher.tally.broke(this.#target)
    if (this.#target !== undefined) this.dispatcher.outliers.failed(this.#target)
    this.#endAttempt(false)
    // An HTTP/1.0 client takes the end of its connection for the end of the answer, unless it is a reset.
    if (this.request.httpVersionMinor === 0) reset(this.request.socket)
    else this.#response.destroy()
  }

  noteAnswering(): void {
    this.#shares.freePlace()
  }

  replaceResponse(response: ServerResponse): void {
    this.#response = response
    this.#watchClient()
  }

  targetWentDown(): void {
    if (this.#state === 'sent' && this.#repeatable && !this.#response.headersSent) this.#tryFailed('down')
  }

  targetBrokeOff(): void {
    if (this.#response.writableEnded) return
    if (this.#response.headersSent) this.answerBroken()
    else this.#tryFailed('down')
  }

  abandon(): IncomingMessage | undefined {
    if (this.#response.headersSent) return undefined
    this.#response.shouldKeepAlive = false
    this.giveUp('UPSTREAM_BROKEN')
    // Node would send it in the next turn of the event loop, which does not come.
    this.request.socket.uncork()
    return this.request
  }

  endPoll(): boolean {
    const isWaiting = this.#state === 'sent' && this.owner !== undefined && this.request.method === 'GET'
    // What the target has for the client is sent at once.
    if (!isWaiting || this.#response.headersSent || performance.now() - this.#sentAt < POLL_MS) return false
    this.#endAttempt()
    this.#end()
    this.#response.writeHead(200, CLOSE_HEADERS).end(CLOSE_PACKET)
    return true
  }

  deadlinePassed(): void {
    if (this.#response.headersSent) this.answerBegun()
    else if (this.#sentAt === 0) this.#checkBody()
    else if (performance.now() - this.#sentAt >= this.dispatcher.options.upstreamTimeoutMs) this.#tryFailed('timeout')
    else this.#waitWithin(this.dispatcher.progressing)
  }

  #watchClient(): void {
    const response = this.#response
    response.on('close', () => {
      if (response === this.#response) this.#responseClosed()
    })
  }

  #watchBody(): void {
    this.#progress = new BodyProgress(this.request, this.dispatcher.options, performance.now())
    this.#waitWithin(this.dispatcher.progressing)
  }

  /** A body that stands still fails the side that holds it up. */
  #checkBody(): void {
    const state = this.#progress?.check(performance.now()) ?? 'moves'
    if (state === 'moves') this.#waitWithin(this.dispatcher.progressing)
    else if (state === 'target') this.#tryFailed('timeout')
    else this.giveUp('REQUEST_TIMEOUT')
  }

  #tryFailed(failure: Failure): void {
    const target = this.#target
    if (this.#state !== 'sent' || target === undefined) return
    // First: the failure may take the target down, which would count as a second failure of this request.
    this.#endAttempt(failure === 'timeout' || failure === 'down')
    const { outliers, retryBudget, options } = this.dispatcher
    this.dispatcher.tally.broke(target)
    if (failure !== 'down') outliers.failed(target)
    if (failure === 'connect') this.#sentAt = 0
    this.#tries ??= new Tries(retryBudget, options.retries, this.#targetsAtArrival)
    if (!this.#tries.mayRepeat(target, failure, this.#repeatable)) this.giveUp(ANSWER_TO[failure])
    else if (this.#tries.lost.length === 0) this.#dispatch(this.#body)
    else {
      this.#state = 'waiting'
      this.dispatcher.suspects.enter(this)
    }
  }

  get #repeatable(): boolean {
    return this.#body.kind !== 'stream' && isRepeatable(this.request.method, this.request.headers['idempotency-key'])
  }

  #dispatch(body: RequestBody): void {
    this.#body = body
    this.#state = 'waiting'
    this.dispatcher.dispatch(this)
  }

  #waitWithin(deadlines: Deadlines<Supervised> | undefined): void {
    if (this.#deadlines !== deadlines) this.#deadlines?.delete(this)
    this.#deadlines = deadlines
    deadlines?.add(this)
  }

  #endAttempt(abort = true): void {
    const attempt = this.#attempt
    const target = this.#target
    this.#attempt = undefined
    this.#target = undefined
    this.#waitWithin(undefined)
    if (abort) attempt?.abort()
    target?.end(this.#place)
  }

  #end(): void {
    this.#state = 'over'
    this.#shares.freeBody()
    this.#shares.freePlace()
  }

  /** Each answer once: the app in this process does not say when it begins. */
  #measure(): void {
    if (this.#measuredFrom === 0) return
    const from = Math.max(this.#measuredFrom, this.#sentAt)
    this.#measuredFrom = 0
    this.dispatcher.tally.answered(this.#target, this.#response.statusCode, from)
  }

  /** Also happens when the client leaves: then everything that still goes on for it ends. */
  #responseClosed(): void {
    if (this.#response.writableFinished) this.#measure()
    if (this.#state === 'waiting') {
      this.dispatcher.leave(this)
      this.dispatcher.suspects.leave(this)
    }
    this.#endAttempt()
    this.#end()
  }
}

const NO_BODY: RequestBody = { kind: 'none' }

/** A poll is left this long, so that it takes what waits for it. */
const POLL_MS = 50

/** A packet of Engine.IO that closes its session. Clients open a new one by themselves. */
const CLOSE_PACKET = '1'
const CLOSE_HEADERS = { 'content-type': 'text/plain; charset=UTF-8', 'content-length': 1, 'cache-control': 'no-store' }

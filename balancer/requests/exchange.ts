import type { IncomingMessage, ServerResponse } from 'node:http'
import type { ClientIdentity } from '../contract/client-envelope.js'
import { opensSession } from '../contract/session-names.js'
import type { BalancerErrorCode } from '../errors.js'
import type { ClientAccount } from '../ledger/client-account.js'
import type { Entry } from '../contract/linked-list.js'
import type { InFlight } from '../targets/in-flight.js'
import type { Target } from '../targets/target.js'
import { cutAnswer } from '../transports/reset.js'
import type { AnswerHead } from '../transports/answer.js'
import type {
  AnswerCopy,
  Attempt,
  AttemptFailure,
  ForwardedRequest,
  KeptAnswer,
  RequestBody,
} from '../transports/transport.js'
import { BodyIntake } from './body-intake.js'
import type { Dispatchable, Dispatcher, Supervised } from './dispatcher.js'
import { giveOwnAnswer } from './own-answer.js'
import { endPolledSession, LEAST_POLL_MS } from './poll-end.js'
import { RequestClock } from './request-clock.js'
import { RequestPlace } from './request-place.js'
import type { TryFailure } from './retry.js'
import type { Suspect } from './suspects.js'
import { ANSWER_TO, Tries } from './tries.js'

/**
 * - `arriving`: its body is being read, so that it can be sent again
 * - `waiting`: for a target
 * - `sent`: at a target, no answer yet
 * - `answering`, until it is `over`: the answer has begun, no retry is possible
 */
type ExchangeState = 'arriving' | 'waiting' | 'sent' | 'answering' | 'over'

/** One request from its arrival to the end of its answer, over as many tries as it takes. */
export class Exchange implements Dispatchable, Suspect, InFlight, Supervised, ForwardedRequest {
  #state: ExchangeState = 'arriving'
  #response: ServerResponse
  #target: Target | undefined
  #place: Entry | undefined
  #cookies: readonly string[] | undefined
  #attempt: Attempt | undefined
  #tries: Tries | undefined
  #targetsAtArrival = 0
  readonly #intake: BodyIntake
  readonly #clock: RequestClock
  readonly clientPlace: RequestPlace
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
    this.#intake = new BodyIntake(request, account)
    this.#clock = new RequestClock(this, dispatcher)
    this.clientPlace = new RequestPlace(account, dispatcher.room)
  }

  get hasPlace(): boolean {
    return this.clientPlace.isTaken
  }

  get keptPlaceMs(): number {
    return this.#state === 'sent' && !this.answering && this.clientPlace.isOfAll ? this.#clock.waitsForMs : 0
  }

  get response(): ServerResponse {
    return this.#response
  }

  get body(): RequestBody {
    return this.#intake.body
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
    this.#intake.begin(this.dispatcher.options, this)
  }

  bodyAwaited(): void {
    this.#clock.watchBody()
  }

  bodyTaken(): void {
    this.#clock.stop()
    if (this.#state === 'arriving') this.#dispatch()
    else this.#intake.drop()
  }

  takeTo(target: Target, bound: boolean, alone = false): void {
    this.#state = 'sent'
    this.#target = target
    this.clientPlace.take(bound)
    this.#cookies = this.dispatcher.cookiesFor(this, target)
    this.#clock.beginMeasuring()
    this.#place = alone ? target.beginAlone(this) : target.begin(this, bound)
    target.send(this)
  }

  admitted(): void {
    this.dispatcher.dispatch(this)
  }

  giveUp(code: BalancerErrorCode): void {
    if (this.#state === 'over') return
    this.#endAttempt()
    this.#end()
    giveOwnAnswer(this, code, this.dispatcher)
  }

  attemptBegun(attempt: Attempt): void {
    this.#attempt = attempt
  }

  attemptFailed(attempt: Attempt, failure: AttemptFailure): void {
    if (attempt === this.#attempt) this.#tryFailed(failure)
  }

  bodyBegun(): void {
    if (this.#state === 'sent') this.#clock.watchBody()
  }

  bodySent(): void {
    if (this.#state === 'sent') this.#clock.bodySent()
  }

  answerBegun(): void {
    this.#state = 'answering'
    this.#clock.stop()
    this.#clock.measure(this.#target, this.#response.statusCode)
    if (this.#target !== undefined) this.dispatcher.outliers.succeeded(this.#target)
    this.#intake.drop()
    this.noteAnswering()
  }

  answerComplete(): void {
    this.#endAttempt(false)
  }

  /** Cuts the connection, which is the only way to tell the client. */
  answerBroken(): void {
    this.dispatcher.tally.broke(this.#target, this.account)
    if (this.#target !== undefined) this.dispatcher.outliers.failed(this.#target, this.account.client)
    this.#endAttempt(false)
    cutAnswer(this.request, this.#response)
  }

  noteAnswering(): void {
    this.clientPlace.free()
  }

  replaceResponse(response: ServerResponse): void {
    this.#response = response
    this.#watchClient()
  }

  targetWentDown(): void {
    if (this.#state !== 'sent' || this.#response.headersSent) return
    if (this.#attempt?.isConnecting === true) this.#tryFailed('connect')
    else if (this.#intake.isRepeatable) this.#tryFailed('down')
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
    // A target that has something for the client sends it at once.
    if (!isWaiting || this.#response.headersSent || this.#clock.sentForMs < LEAST_POLL_MS) return false
    this.#endAttempt()
    this.#end()
    endPolledSession(this.#response)
    return true
  }

  deadlinePassed(): void {
    if (this.#response.headersSent) return this.answerBegun()
    const state = this.#clock.check()
    if (state === 'target') this.#tryFailed('timeout')
    else if (state === 'client') this.giveUp('REQUEST_TIMEOUT')
  }

  #watchClient(): void {
    const response = this.#response
    response.on('close', () => {
      if (response === this.#response) this.#responseClosed()
    })
  }

  #tryFailed(failure: TryFailure): void {
    const target = this.#target
    if (this.#state !== 'sent' || target === undefined) return
    // First: the failure may take the target down, which would count as a second failure of this request.
    this.#endAttempt(failure !== 'reset')
    const { outliers, retryBudget, options } = this.dispatcher
    this.dispatcher.tally.broke(target, this.account)
    if (failure !== 'down') outliers.failed(target, this.account.client)
    if (failure === 'connect') this.#clock.notSent()
    this.#tries ??= new Tries(retryBudget, options.retries, this.#targetsAtArrival)
    if (!this.#tries.mayRepeat(target, failure, this.#intake.isRepeatable)) this.giveUp(ANSWER_TO[failure])
    else if (this.#tries.lost.length === 0) this.#dispatch()
    else {
      this.#state = 'waiting'
      this.dispatcher.suspects.enter(this)
    }
  }

  #dispatch(): void {
    this.#state = 'waiting'
    this.dispatcher.dispatch(this)
  }

  #endAttempt(abort = true): void {
    const attempt = this.#attempt
    const target = this.#target
    this.#attempt = undefined
    this.#target = undefined
    this.#clock.stop()
    if (abort) attempt?.abort()
    target?.end(this.#place)
  }

  #end(): void {
    this.#state = 'over'
    this.#intake.freeMemory()
    this.clientPlace.free()
  }

  /** Also happens when the client leaves: then everything that still goes on for it ends. */
  #responseClosed(): void {
    if (this.#response.writableFinished) this.#clock.measure(this.#target, this.#response.statusCode)
    if (this.#state === 'waiting') {
      this.dispatcher.leave(this)
      this.dispatcher.suspects.leave(this)
    }
    this.#endAttempt()
    this.#end()
  }
}

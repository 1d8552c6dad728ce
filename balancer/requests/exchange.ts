import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Deadlines } from './deadlines.js'
import type { AwaitingAnswer, Dispatcher, Journey } from './dispatcher.js'
import { answerProblem, type BalancerErrorCode } from '../errors.js'
import type { ClientIdentity } from '../edge/forwarded-headers.js'
import type { Entry } from '../linked-list.js'
import { bodyByHeaders, holdBody, type RequestBody } from './request-body.js'
import { reset } from '../edge/reset.js'
import { isRepeatable, judgeRetry, type Failure, type RetryVerdict } from './retry.js'
import type { InFlight, Target } from '../targets/target.js'

/** One try at one target, as its transport runs it. */
export interface Attempt {
  /** Breaks it off; nothing is heard of it afterwards. */
  abort(): void
}

/**
 * - `arriving`: its body is being read so that it can be sent again
 * - `waiting`: for a target
 * - `sent`: at a target, no answer yet
 * - `answering`: the answer has begun, there is no way back
 * - `over`
 */
type ExchangeState = 'arriving' | 'waiting' | 'sent' | 'answering' | 'over'

/** One request from its arrival to the end of its answer, over as many tries as it takes. */
export class Exchange implements Journey, InFlight {
  #state: ExchangeState = 'arriving'
  #body: RequestBody = { kind: 'none' }
  #target: Target | undefined
  #attempt: Attempt | undefined
  /** What it waits for has to come within these. */
  #deadlines: Deadlines<AwaitingAnswer> | undefined
  #failedTries = 0
  /** Tries that ended with their target, or with it hung. */
  #losses = 0
  #targetsAtArrival = 0
  /** When a target first had all of it, in the clock of `performance.now()`; 0 before. */
  #sentAt = 0
  #bytesRead = 0
  /** When more of the body was last seen to come, in the same clock. */
  #bodyMovedAt = 0
  #tried: Set<Target> | undefined
  readonly lasting = false
  place: Entry | undefined
  wait: Entry | undefined

  constructor(
    private readonly dispatcher: Dispatcher,
    readonly request: IncomingMessage,
    public response: ServerResponse,
    readonly client: ClientIdentity,
    readonly requestId: string,
    /** The client waits for "100 Continue" before it sends the body. */
    readonly continueWanted: boolean,
  ) {}

  get body(): RequestBody {
    return this.#body
  }

  /** The answer is to be the last on its connection. */
  get closing(): boolean {
    return this.dispatcher.closing
  }

  get tried(): ReadonlySet<Target> | undefined {
    return this.#tried
  }

  start(): void {
    this.#targetsAtArrival = this.dispatcher.pool.size
    this.watchClient()
    this.dispatcher.retryBudget.recordRequest(performance.now())
    const { heldBodyBytes } = this.dispatcher.options
    const body = bodyByHeaders(this.request, heldBodyBytes)
    if (body !== undefined) this.#dispatch(body)
    else {
      this.#watchBody()
      holdBody(this.request, heldBodyBytes, held => {
        this.#waitWithin(undefined)
        if (this.#state === 'arriving') this.#dispatch(held)
      })
    }
  }

  /** Listens for the end of the current response; again after a transport has put another in its place. */
  watchClient(): void {
    const { response } = this
    response.on('close', () => {
      if (response === this.response) this.#responseClosed()
    })
  }

  takeTo(target: Target, bound: boolean): void {
    this.#state = 'sent'
    this.#target = target
    target.begin(this, bound)
    target.transport.send(this, target)
  }

  calledUp(): void {
    this.dispatcher.dispatch(this)
  }

  giveUp(code: BalancerErrorCode): void {
    if (this.#state === 'over') return
    this.#endAttempt()
    this.#state = 'over'
    // A client that still waits for its "100 Continue" may or may not send the body now: no way to tell, so close.
    if (this.continueWanted || code === 'REQUEST_TIMEOUT') this.response.shouldKeepAlive = false
    answerProblem(this.response, code, this.requestId)
    // The rest of a body that nobody wants is read and dropped: closing over it would cut the answer off.
    this.request.resume()
  }

  /** For the transport: the try has begun. */
  attemptBegun(attempt: Attempt): void {
    this.#attempt = attempt
  }

  /** For the transport: the body is on its way to the target. */
  bodyBegun(): void {
    if (this.#state === 'sent') this.#watchBody()
  }

  /** For the transport: the target has all of the request. The wait for the answer is one, however often that is so. */
  bodySent(): void {
    if (this.#state !== 'sent') return
    const isFirst = this.#sentAt === 0
    if (isFirst) this.#sentAt = performance.now()
    this.#waitWithin(isFirst ? this.dispatcher.awaiting : this.dispatcher.looks)
  }

  /** For the transport: the answer has begun. */
  answerBegun(): void {
    this.#state = 'answering'
    this.#waitWithin(undefined)
    if (this.#target !== undefined) this.dispatcher.outliers.succeeded(this.#target)
  }

  /** For the transport: the target's part is done. */
  answerComplete(): void {
    this.#endAttempt(false)
  }

  /** For the transport: the answer broke in the middle. Only a cut connection tells the client so. */
  answerBroken(): void {
    if (this.#target !== undefined) this.dispatcher.outliers.failed(this.#target)
    this.#endAttempt(false)
    // An HTTP/1.0 client takes the end of its connection for the end of the answer, unless it is a reset.
    if (this.request.httpVersionMinor === 0) reset(this.request.socket)
    else this.response.destroy()
  }

  /** For the transport: no answer will come of this try. Of one that was given up meanwhile it means nothing. */
  attemptFailed(attempt: Attempt, failure: Failure): void {
    if (attempt === this.#attempt) this.#tryFailed(failure)
  }

  /** The target was found hung or gone: what can be done elsewhere is, at once. */
  targetWentDown(): void {
    if (this.#state === 'sent' && this.#repeatable && !this.response.headersSent) this.#tryFailed('down')
  }

  /** The target will not finish it: what has begun is cut, what has not is answered so. */
  targetBrokeOff(): void {
    if (this.response.writableEnded) return
    if (this.response.headersSent) this.answerBroken()
    else this.#tryFailed('down')
  }

  /** What it waited for did not come in time, or it is time for a look. */
  waitOver(): void {
    if (this.response.headersSent) this.answerBegun()
    else if (this.#sentAt === 0) this.#lookAtBody()
    else if (performance.now() - this.#sentAt >= this.dispatcher.options.upstreamTimeoutMs) this.#tryFailed('timeout')
    else this.#waitWithin(this.dispatcher.looks)
  }

  #watchBody(): void {
    this.#bytesRead = this.request.socket.bytesRead
    this.#bodyMovedAt = performance.now()
    this.#waitWithin(this.dispatcher.looks)
  }

  /** Whoever holds it up is told so: the client that does not send, or the target that does not read. */
  #lookAtBody(): void {
    const { complete, readableLength, readableHighWaterMark, socket } = this.request
    const now = performance.now()
    if (socket.bytesRead > this.#bytesRead) this.#bodyMovedAt = now
    this.#bytesRead = socket.bytesRead
    const { upstreamTimeoutMs, bodyIdleMs } = this.dispatcher.options
    const untaken = complete || readableLength >= readableHighWaterMark
    // A target may have to pass on what it has read before it reads on, and that may take as long as a client may.
    const patienceMs = (complete ? 0 : bodyIdleMs) + (untaken ? upstreamTimeoutMs : 0)
    if (now - this.#bodyMovedAt < patienceMs) this.#waitWithin(this.dispatcher.looks)
    else if (untaken) this.#tryFailed('timeout')
    else this.giveUp('REQUEST_TIMEOUT')
  }

  #tryFailed(failure: Failure): void {
    const target = this.#target
    if (this.#state !== 'sent' || target === undefined) return
    // Out of the target's books first: the failure may take the target down, which would be a second failure of this.
    this.#endAttempt(failure === 'timeout' || failure === 'down')
    if (failure !== 'down') this.dispatcher.outliers.failed(target)
    if (failure === 'connect') this.#sentAt = 0
    this.#failedTries += failure === 'down' || target.gone ? 0 : 1
    // Ejected it is there yet, by the failures of others, and when it dies of that it is lost but once.
    if (failure !== 'connect' && target.state !== 'ejected') this.#losses += 1
    const { retries } = this.dispatcher.options
    const verdict = judgeRetry({
      failure,
      repeatable: this.#repeatable,
      targetGone: target.gone,
      failedTries: this.#failedTries,
      retries,
    })
    // All that were there may have been killed together. When their replacements go as well, it is what they die of.
    if (verdict === 'no' || this.#losses > Math.max(retries, this.#targetsAtArrival) || !this.#granted(verdict)) {
      this.giveUp(ANSWER_TO[failure])
      return
    }
    this.#tried = (this.#tried ?? new Set()).add(target)
    this.#dispatch(this.#body)
  }

  #granted(verdict: RetryVerdict): boolean {
    return verdict !== 'budget' || this.dispatcher.retryBudget.take(performance.now())
  }

  get #repeatable(): boolean {
    return this.#body.kind !== 'stream' && isRepeatable(this.request.method, this.request.headers['idempotency-key'])
  }

  #dispatch(body: RequestBody): void {
    this.#body = body
    this.#state = 'waiting'
    this.dispatcher.dispatch(this)
  }

  #waitWithin(deadlines: Deadlines<AwaitingAnswer> | undefined): void {
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
    target?.end(this)
  }

  /** Also the way out for a client that left: whatever is still going on for it ends here. */
  #responseClosed(): void {
    if (this.#state === 'waiting') this.dispatcher.room.leave(this)
    this.#state = 'over'
    this.#endAttempt()
  }
}

const ANSWER_TO: Record<Failure, BalancerErrorCode> = {
  connect: 'NO_TARGET_READY',
  reset: 'UPSTREAM_BROKEN',
  timeout: 'UPSTREAM_TIMEOUT',
  down: 'UPSTREAM_BROKEN',
}

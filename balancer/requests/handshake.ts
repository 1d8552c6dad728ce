import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import { Deadlines } from './deadlines.js'
import type { Dispatcher, Journey } from './dispatcher.js'
import { answerProblemOnSocket, type BalancerErrorCode } from '../errors.js'
import type { Attempt } from './exchange.js'
import type { ClientIdentity } from '../edge/forwarded-headers.js'
import type { Entry } from '../linked-list.js'
import { reset } from '../edge/reset.js'
import { judgeRetry } from './retry.js'
import type { InFlight, Target, UpgradedConnection } from '../targets/target.js'

/** A connection on its way to be upgraded. */
export class Handshake implements Journey, InFlight {
  #state: 'waiting' | 'sent' | 'upgraded' | 'refused' | 'over' = 'waiting'
  #target: Target | undefined
  #attempt: Attempt | undefined
  #failedTries = 0
  #tried: Set<Target> | undefined
  readonly #closed = (): void => this.#over()
  readonly lasting = true
  place: Entry | undefined
  wait: Entry | undefined

  constructor(
    private readonly dispatcher: Dispatcher,
    private readonly deadlines: Deadlines<Handshake>,
    readonly request: IncomingMessage,
    readonly socket: Duplex,
    readonly head: Buffer,
    readonly client: ClientIdentity,
    readonly requestId: string,
    private readonly onDecline: () => void,
  ) {}

  get tried(): ReadonlySet<Target> | undefined {
    return this.#tried
  }

  start(): void {
    this.socket.once('close', this.#closed)
    this.dispatcher.dispatch(this)
  }

  takeTo(target: Target, bound: boolean): void {
    this.#state = 'sent'
    this.#target = target
    this.deadlines.add(this)
    target.begin(this, bound)
    target.transport.upgrade(this)
  }

  calledUp(): void {
    this.dispatcher.dispatch(this)
  }

  giveUp(code: BalancerErrorCode): void {
    if (this.#state === 'over' || this.#state === 'upgraded') return
    const isAnswered = this.#state === 'refused'
    this.#over()
    if (isAnswered) reset(this.socket)
    else answerProblemOnSocket(this.socket, code, this.requestId)
  }

  attemptBegun(attempt: Attempt): void {
    this.#attempt = attempt
  }

  /** For the transport: no connection to the target came about. */
  connectFailed(): void {
    const target = this.#target
    if (this.#state !== 'sent' || target === undefined) return
    this.#failedTries += 1
    const { retries } = this.dispatcher.options
    const facts = { failure: 'connect', repeatable: true, targetGone: target.gone, retries } as const
    if (judgeRetry({ ...facts, failedTries: this.#failedTries }) === 'no') {
      this.giveUp('NO_TARGET_READY')
      return
    }
    this.deadlines.delete(this)
    target.end(this)
    this.#state = 'waiting'
    this.#tried = (this.#tried ?? new Set()).add(target)
    this.dispatcher.dispatch(this)
  }

  /**
   * For the transport: the target speaks the new protocol from here on. What is left of the handshake is the place of
   * its connection in the books of the target: connections are many and last, and nothing else of it is kept for them.
   */
  upgraded(connection: UpgradedConnection): void {
    const target = this.#target
    this.#state = 'upgraded'
    this.deadlines.delete(this)
    this.socket.off('close', this.#closed).once('close', () => target?.endUpgraded(connection))
    target?.beginUpgraded(connection)
    target?.end(this)
  }

  /** For the transport: the target leaves the offer of an upgrade, and answers the request as any other. */
  decline(): void {
    this.#attempt = undefined
    this.socket.off('close', this.#closed)
    this.#over()
    this.onDecline()
  }

  /** Its own connection to the target tells it: a handshake is not tried twice once it was sent. */
  targetWentDown(): void {}

  targetBrokeOff(): void {
    this.giveUp('UPSTREAM_BROKEN')
  }

  /**
   * For the transport: the target answered, but not with an upgrade. The answer may take its time while the client
   * is there. One that has ended its side has perhaps left: it shall not hold the place of others for ever.
   */
  refused(): void {
    this.#state = 'refused'
    this.deadlines.delete(this)
    const clientEnded = (): void => {
      if (this.#state === 'refused') this.deadlines.add(this)
    }
    if (this.socket.readableEnded) clientEnded()
    else this.socket.once('end', clientEnded)
  }

  #over(): void {
    if (this.#state === 'over') return
    if (this.#state === 'waiting') this.dispatcher.room.leave(this)
    this.#state = 'over'
    this.deadlines.delete(this)
    this.#attempt?.abort()
    this.#target?.end(this)
  }
}

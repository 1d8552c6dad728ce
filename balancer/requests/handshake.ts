import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import type { ClientIdentity } from '../contract/client-envelope.js'
import { answerProblemOnSocket, type BalancerErrorCode } from '../errors.js'
import type { ClientAccount } from '../ledger/client-account.js'
import type { Entry } from '../contract/linked-list.js'
import type { InFlight } from '../targets/in-flight.js'
import type { Target } from '../targets/target.js'
import { reset } from '../transports/reset.js'
import type { Attempt, AttemptFailure, ForwardedUpgrade, UpgradedConnection } from '../transports/transport.js'
import type { Dispatchable, Dispatcher, Supervised } from './dispatcher.js'
import { RequestPlace } from './request-place.js'
import { ANSWER_TO, Tries } from './tries.js'

/**
 * - `waiting`: for a target
 * - `sent`: at a target, no answer yet
 * - `upgraded`: the target speaks the new protocol
 * - `refused`: the target answers without an upgrade
 * - `over`
 */
type HandshakeState = 'waiting' | 'sent' | 'upgraded' | 'refused' | 'over'

/** A client that has ended its side gets an answer that comes within this time. Most have left, and wait for none. */
const ENDED_CLIENT_MS = 2_000

/** The handshake of an upgrade, from its arrival to the upgrade or to the end of another answer. */
export class Handshake implements Dispatchable, InFlight, Supervised, ForwardedUpgrade {
  #state: HandshakeState = 'waiting'
  #target: Target | undefined
  #place: Entry | undefined
  #attempt: Attempt | undefined
  #tries: Tries | undefined
  #sentAt = 0
  readonly #clientPlace: RequestPlace
  #cut: NodeJS.Timeout | undefined
  readonly #closed = (): void => this.#over()
  readonly #ended = (): void => {
    this.#cut = setTimeout(() => this.socket.destroy(), ENDED_CLIENT_MS)
  }
  readonly isUpgrade = true
  readonly answering = false
  deadline: Entry | undefined

  /** @param onDecline the target does not upgrade: the request is to be handled as an ordinary one */
  constructor(
    private readonly dispatcher: Dispatcher,
    readonly request: IncomingMessage,
    readonly socket: Duplex,
    readonly head: Buffer,
    readonly client: ClientIdentity,
    readonly requestId: string,
    readonly owner: string | undefined,
    readonly account: ClientAccount,
    private readonly onDecline: () => void,
  ) {
    this.#clientPlace = new RequestPlace(account, dispatcher.room)
  }

  get hasPlace(): boolean {
    return this.#clientPlace.isTaken
  }

  get tried(): ReadonlySet<Target> | undefined {
    return this.#tries?.targets
  }

  get keptPlaceMs(): number {
    return this.#state === 'sent' && this.#clientPlace.isOfAll ? performance.now() - this.#sentAt : 0
  }

  start(): void {
    this.socket.once('close', this.#closed).once('end', this.#ended)
    this.dispatcher.dispatch(this)
  }

  takeTo(target: Target, bound: boolean): void {
    this.#state = 'sent'
    this.#sentAt = performance.now()
    this.#target = target
    this.#clientPlace.take(bound)
    this.dispatcher.handshakes.add(this)
    this.dispatcher.stickiness?.taken(this, target)
    this.#place = target.begin(this, bound)
    target.upgrade(this)
  }

  admitted(): void {
    this.dispatcher.dispatch(this)
  }

  deadlinePassed(): void {
    this.giveUp('UPSTREAM_TIMEOUT')
  }

  giveUp(code: BalancerErrorCode): void {
    if (this.#state === 'over' || this.#state === 'upgraded') return
    const isAnswered = this.#state === 'refused'
    this.#over()
    if (isAnswered) reset(this.socket)
    else {
      const { options, maintenance } = this.dispatcher
      const retryAfterS = code === 'MAINTENANCE' ? maintenance?.retryAfterS : undefined
      answerProblemOnSocket(this.socket, code, this.requestId, options.ownHeaders, retryAfterS)
    }
  }

  attemptBegun(attempt: Attempt): void {
    this.#attempt = attempt
  }

  attemptFailed(failure: AttemptFailure): void {
    const target = this.#target
    if (this.#state !== 'sent' || target === undefined) return
    const { pool, retryBudget, options } = this.dispatcher
    this.#tries ??= new Tries(retryBudget, options.retries, pool.size)
    // A handshake that was sent is not sent again.
    if (!this.#tries.mayRepeat(target, failure, false)) {
      this.giveUp(ANSWER_TO[failure])
      return
    }
    this.dispatcher.handshakes.delete(this)
    target.end(this.#place)
    this.#state = 'waiting'
    this.dispatcher.dispatch(this)
  }

  /** Keeps only the connection's entry at its target. Connections are many and long, so nothing else may stay alive. */
  upgraded(connection: UpgradedConnection): void {
    const target = this.#target
    this.#state = 'upgraded'
    this.#unwatchEnd()
    this.dispatcher.handshakes.delete(this)
    this.socket.off('close', this.#closed).on('close', () => target?.endUpgraded(connection))
    target?.beginUpgraded(connection)
    target?.end(this.#place)
    this.noteAnswering()
  }

  decline(): void {
    this.#attempt = undefined
    this.socket.off('close', this.#closed)
    this.#over()
    this.onDecline()
  }

  abandon(): undefined {
    this.giveUp('UPSTREAM_BROKEN')
  }

  noteAnswering(): void {
    this.#clientPlace.free()
  }

  endPoll(): boolean {
    return false
  }

  /** Does nothing: a handshake that was sent is not repeated, and its connection to the target ends by itself. */
  targetWentDown(): void {}

  targetBrokeOff(): void {
    this.giveUp('UPSTREAM_BROKEN')
  }

  /**
   * The answer may take as long as it likes while the client is there. A client that has ended its side may have left,
   * so from then on the deadline applies.
   */
  refused(): void {
    this.#state = 'refused'
    this.#unwatchEnd()
    this.dispatcher.handshakes.delete(this)
    const clientEnded = (): void => {
      if (this.#state === 'refused') this.dispatcher.handshakes.add(this)
    }
    if (this.socket.readableEnded) clientEnded()
    else this.socket.once('end', clientEnded)
  }

  /** The client has its answer, or has left: its end is none of this handshake's any more. */
  #unwatchEnd(): void {
    clearTimeout(this.#cut)
    this.socket.off('end', this.#ended)
  }

  #over(): void {
    if (this.#state === 'over') return
    this.#unwatchEnd()
    if (this.#state === 'waiting') this.dispatcher.leave(this)
    this.#state = 'over'
    this.dispatcher.handshakes.delete(this)
    this.#attempt?.abort()
    this.#target?.end(this.#place)
    this.noteAnswering()
  }
}

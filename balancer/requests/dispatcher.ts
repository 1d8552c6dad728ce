import type { IncomingMessage } from 'node:http'
import { SessionNames } from '../contract/session-names.js'
import type { EdgeOrder } from '../contract/edge-order.js'
import type { ReleaseFigures } from '../contract/latency-buckets.js'
import type { BalancerErrorCode } from '../errors.js'
import type { ClientAccount, SharedResources } from '../ledger/client-account.js'
import type { OpenFiles } from '../ledger/open-files.js'
import type { BalancerOptions } from '../options.js'
import { OutlierDetection } from '../targets/outlier-detection.js'
import type { Target } from '../targets/target.js'
import type { NoPick, TargetPool } from '../targets/target-pool.js'
import type { AnswerHead } from '../transports/answer.js'
import type { AnswerCopy, KeptAnswer } from '../transports/transport.js'
import { Deadlines, type HasDeadline } from './deadlines.js'
import { DelayWatch } from './delay-watch.js'
import { FatalRequests, type FatalRequestFound } from './fatal-requests.js'
import { KeptAnswers } from './kept-answers.js'
import { MaintenanceAnswer } from './maintenance-answer.js'
import { Pause } from './pause.js'
import { answerToPreempted, preemptedFor, type Preemptible } from './preemption.js'
import { ReleaseTally } from './release-tally.js'
import { RetryBudget } from './retry.js'
import { Stickiness, type StickyRequest } from './stickiness.js'
import { Suspects } from './suspects.js'
import { WaitingRoom, type Waiter } from './waiting-room.js'

/** A request, or the handshake of an upgrade, that is to be sent to a target. */
export interface Dispatchable extends Waiter, StickyRequest {
  readonly account: ClientAccount
  /** The id of the target that alone can serve it, because its session is there. */
  readonly owner: string | undefined
  /** An upgrade lasts, so a draining target does not get one. */
  readonly isUpgrade: boolean
  /** Targets that have failed it. */
  readonly tried: ReadonlySet<Target> | undefined
  /** @param bound it belongs to this target by affinity */
  takeTo(target: Target, bound: boolean): void
}

/** Something in flight that is checked, or ended, when a deadline passes. */
export interface Supervised extends HasDeadline, Preemptible {
  readonly account: ClientAccount
  deadlinePassed(): void
  giveUp(code: BalancerErrorCode): void
}

export interface DispatcherEvents {
  /** A request begins to wait, because no target is ready. */
  onNoTarget?(): void
  /** A request has ended targets. */
  onFatalRequest?(request: FatalRequestFound): void
  /** A request has ended this target. */
  onTargetExplained?(id: string): void
  /** A client of Socket.IO 1 or 2 polls, and its session lives at one of several targets. Called once. */
  onOldPoll?(): void
  /** The answers that the clients of each release got, while one is being tried. */
  onReleaseFigures?(figures: ReleaseFigures[]): void
  /** Nothing is in flight any more since the traffic was paused. @param pausedUntil as it was ordered */
  onQuiet?(pausedUntil: number): void
}

/** The app in this process is asked this often at most which of its answers have begun. */
const NOTE_ANSWERS_MS = 50

/** The progress of a body is checked this often within the time that it may make no progress. */
const PROGRESS_CHECKS = 4

/** Finds a target for every request, or a place in the waiting room. Holds what all requests share. */
export class Dispatcher {
  readonly room: WaitingRoom
  /** Requests whose targets died or hung. */
  readonly suspects: Suspects
  readonly outliers: OutlierDetection
  readonly retryBudget: RetryBudget
  /** Requests that were sent and have no answer yet. */
  readonly awaiting: Deadlines<Supervised>
  /** Requests whose body is on its way, or that were sent a second time, until their next check. */
  readonly progressing: Deadlines<Supervised>
  /** The names of sessions that live in one target. */
  readonly sessions: SessionNames
  /** Undefined when a client's requests go anywhere. */
  readonly stickiness: Stickiness | undefined
  /** Upgrades that are not complete yet. */
  readonly handshakes: Deadlines<Supervised>
  readonly fatal: FatalRequests
  readonly tally: ReleaseTally
  readonly pause: Pause
  readonly #kept: KeptAnswers
  readonly #delays: DelayWatch
  #maintenance: MaintenanceAnswer | undefined
  #closing = false
  #oldPollSeen = false
  #answersNotedAt = -Infinity

  constructor(
    readonly pool: TargetPool,
    readonly options: BalancerOptions,
    private readonly openFiles: OpenFiles,
    private readonly resources: Pick<SharedResources, 'connections' | 'places'>,
    private readonly events: DispatcherEvents = {},
  ) {
    this.fatal = new FatalRequests(request => events.onFatalRequest?.(request))
    this.tally = new ReleaseTally(pool, figures => events.onReleaseFigures?.(figures))
    this.suspects = new Suspects(pool, this.fatal, options.holdMs, ({ id }) => events.onTargetExplained?.(id))
    if (options.sticky !== 'off') this.stickiness = new Stickiness(pool, options)
    this.sessions = new SessionNames(options.identityKey)
    this.room = new WaitingRoom(options, () => pool.open && this.#canConnect)
    this.#delays = new DelayWatch(pool, resources.places, () => this.room.admit())
    this.outliers = new OutlierDetection(pool, options, this.#delays.recent)
    this.#kept = new KeptAnswers(undefined, undefined, options.keptFolder)
    this.pause = new Pause(options, () => this.#isBusy, { onQuiet: until => events.onQuiet?.(until) })
    this.retryBudget = new RetryBudget(options.retryBudgetRatio, options.retryBudgetFloor)
    const { upstreamTimeoutMs, bodyIdleMs, upgradeTimeoutMs } = options
    const onDeadline = (item: Supervised): void => item.deadlinePassed()
    this.awaiting = new Deadlines(upstreamTimeoutMs, onDeadline)
    this.progressing = new Deadlines(Math.min(upstreamTimeoutMs, bodyIdleMs) / PROGRESS_CHECKS, onDeadline)
    this.handshakes = new Deadlines(upgradeTimeoutMs, onDeadline)
    pool.on('available', () => {
      this.suspects.admit()
      this.room.admit()
    })
  }

  /** Whether answers that begin now end their connection. */
  get closing(): boolean {
    return this.#closing
  }

  /** Requests that wait for a target. */
  get waiting(): number {
    return this.room.size + this.suspects.size + this.pause.size
  }

  /** Whether requests are held back before a target is looked for. */
  get isClosed(): boolean {
    return this.pause.isOn || this.#maintenance !== undefined
  }

  /** The answer that clients get in place of a target's; undefined unless the service is being maintained. */
  get maintenance(): MaintenanceAnswer | undefined {
    return this.#maintenance
  }

  /** A request that was sent to a target is never held back, even if it has to be sent again. */
  obey({ pausedUntil, maintenance, preview, mixedUntil = 0 }: EdgeOrder): void {
    this.#kept.useUntil(mixedUntil)
    this.pool.releases.setPreview(preview)
    this.#maintenance = maintenance && new MaintenanceAnswer(maintenance, this.options.ownHeaders)
    if (pausedUntil === undefined) this.pause.end()
    else this.pause.begin(pausedUntil)
    if (!this.isClosed) return
    // Requests that wait for a target are held back with the others, and during maintenance none waits.
    this.pause.reconsider()
    this.room.admitAll()
  }

  dispatch(item: Dispatchable): void {
    if (this.isClosed && !item.hasPlace && this.#isHeldBack(item)) return
    const owner = this.#ownerOf(item)
    if (owner !== undefined) {
      const { maxBound } = this.options
      const isWithinShare = (): boolean =>
        item.account.polls.mayTake() && owner.hasShareFor(item.account, true, maxBound)
      const hasRoom =
        (owner.bound < maxBound || owner.longLived.endPollFor(item.account)) && (item.hasPlace || isWithinShare())
      if (hasRoom) item.takeTo(owner, true)
      else item.giveUp('OVERLOADED')
      return
    }
    this.#delays.arrived(item.account)
    if (!this.#mayTakePlace(item) || !this.#canConnect) {
      // A client at its share waits long: it is not refused while places are free.
      const waitsLong = this.pool.pickable.length === 0 || (this.pool.open && this.#canConnect)
      this.#wait(item, waitsLong ? 'none-ready' : 'full')
      return
    }
    const kept = this.stickiness?.targetOf(item)
    let avoided = this.#avoidedBy(item)
    if (kept !== undefined && item.tried?.has(kept) !== true && this.pool.suits(kept, item.request)) {
      if (kept.hasShareFor(item.account, false, this.options.maxInFlight)) {
        item.takeTo(kept, false)
        return
      }
      // Other clients of this target must not lose it because one client fills it.
      avoided = new Set([...(avoided ?? []), kept])
    }
    const picked = this.pool.pick(avoided, item.request)
    if (typeof picked === 'string') this.#wait(item, picked, picked === 'none-ready')
    else item.takeTo(picked, false)
  }

  /** Where a good answer is kept, for pages of its release when clients get another one. */
  copyOf(request: IncomingMessage, answer: AnswerHead): AnswerCopy | undefined {
    const copy = this.#kept.begin(request, answer)
    return copy === undefined || this.#isPreviewed(request) ? undefined : copy
  }

  /** The copy that a client gets in place of a 404. The clients of a preview get no copies. */
  keptAnswer(request: IncomingMessage): KeptAnswer | undefined {
    const kept = this.#kept.find(request)
    return kept === undefined || this.#isPreviewed(request) ? undefined : kept
  }

  #isPreviewed(request: IncomingMessage): boolean {
    return this.pool.releases.preview?.isFor(request) === true
  }

  /** The item waits no more. */
  leave(item: Waiter): void {
    this.room.leave(item)
    this.pause.leave(item)
  }

  /** The cookies that the answer of this target is to set. */
  cookiesFor(item: StickyRequest, target: Target): string[] | undefined {
    const sticky = this.stickiness?.taken(item, target)
    const release = this.pool.releases.cookieFor(item.request)
    if (sticky === undefined && release === undefined) return undefined
    return [sticky, release].filter(cookie => cookie !== undefined)
  }

  oldPollSeen(): void {
    if (this.#oldPollSeen || this.pool.size < 2) return
    this.#oldPollSeen = true
    this.events.onOldPoll?.()
  }

  closeAfterAnswers(): void {
    this.#closing = true
  }

  stop(): void {
    this.pause.stop()
    this.room.close()
    this.suspects.stop()
    this.#delays.stop()
    this.outliers.stop()
    this.tally.stop()
    this.awaiting.stop()
    this.progressing.stop()
    this.handshakes.stop()
  }

  #mayTakePlace({ account, hasPlace }: Dispatchable): boolean {
    if (hasPlace || account.places.mayTake()) return true
    const now = performance.now()
    if (now - this.#answersNotedAt < NOTE_ANSWERS_MS) return false
    this.#answersNotedAt = now
    this.pool.noteLocalAnswers()
    return account.places.mayTake()
  }

  /** A connection that waits for its next request can be used again, without another open file. */
  get #canConnect(): boolean {
    return this.openFiles.hasRoom(this.resources.connections.held) || this.openFiles.toTargets > this.pool.inFlight
  }

  #isHeldBack(item: Dispatchable): boolean {
    if (this.#maintenance?.isFor(item.client) === true) item.giveUp('MAINTENANCE')
    else if (this.pause.isOn) this.pause.enter(item)
    else return false
    return true
  }

  /** @param unserved the item may go to no target that there is */
  #wait(item: Dispatchable, reason: NoPick, unserved = this.pool.pickable.length === 0): void {
    // After a pause all requests come back at once, and none is refused for that.
    this.room.enter(item, this.pause.isEnding ? 'none-ready' : reason)
    if (unserved) this.events.onNoTarget?.()
    else if (!item.account.places.isAtMost) this.#makePlaceFor(item.account)
  }

  get #isBusy(): boolean {
    if (this.room.size + this.suspects.size > 0) return true
    return [...this.pool.targets()].some(({ inFlight, bound }) => inFlight + bound > 0)
  }

  /** A client that finds no place gets one of the client that holds most, unless that one is served without delay. */
  #makePlaceFor(account: ClientAccount): void {
    const awaiting =
      this.pool.open && !account.places.isScarce ? [] : [...this.awaiting.items(), ...this.handshakes.items()]
    const preempted = preemptedFor<Supervised>(account, this.progressing.items(), awaiting)
    preempted?.giveUp(answerToPreempted(preempted))
  }

  /** A request that is known to end its target is kept away from those that have to get through a second try. */
  #avoidedBy({ request, tried }: Dispatchable): ReadonlySet<Target> | undefined {
    if (this.fatal.size === 0 || !this.fatal.has(request)) return tried
    const busy = this.pool.withSuspects()
    return busy.length === 0 ? tried : new Set([...(tried ?? []), ...busy])
  }

  #ownerOf({ owner, tried, isUpgrade }: Dispatchable): Target | undefined {
    const target = owner === undefined ? undefined : this.pool.get(owner)
    if (target === undefined || target.gone || tried?.has(target) === true) return undefined
    return isUpgrade && target.state === 'draining' ? undefined : target
  }
}

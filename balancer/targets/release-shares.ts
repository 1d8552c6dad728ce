import { createHmac, timingSafeEqual } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import type { PreviewOrder } from '../contract/edge-order.js'
import { RELEASE as COOKIE } from '../contract/own-cookies.js'
import type { TargetSpec } from '../contract/targets.js'
import { ReleasePreview } from './release-preview.js'

/** The release of all clients that get no other. */
export const BASE = ''

/** A release that is being tried, and the share of the clients that get it. */
interface Trial {
  readonly release: string
  readonly share: number
}

/** The draw of a client. */
interface Draw {
  readonly release: string
  /** From 0 to DRAWS - 1; the client gets the trial while this is below its share, so a share only grows by others. */
  readonly number: number
  /** The client has shown it in a cookie. */
  readonly isKept: boolean
}

/**
 * Decides which release a client gets during a trial. A signed cookie keeps a client with its release. The cookie is set
 * only during a trial, and the app need not support it. Clients without a cookie are assigned by connection, and the trial
 * gets its share of their requests, give or take a few.
 */
export class ReleaseShares {
  readonly #ofTarget = new Map<string, string>()
  #trial: Trial | undefined
  #preview: ReleasePreview | undefined
  #names: readonly string[] = [BASE]
  readonly #byConnection = new WeakMap<Socket, number>()
  readonly #byRequest = new WeakMap<IncomingMessage, Draw>()
  /** Requests of clients without a cookie: all of this trial, and those that went to it. */
  #cookieless = { all: 0, tried: 0 }

  /** @param key signs the cookies; shared by all balancers */
  constructor(
    private readonly key: string,
    private readonly random: () => number,
  ) {}

  /** Whether some targets run another release than the others. */
  get areSeveral(): boolean {
    return this.#names.length > 1
  }

  /** Whether a share of the clients gets another release than the others. */
  get onTrial(): boolean {
    return this.#trial !== undefined
  }

  /** The share of the clients that gets another release; 0 without a trial. */
  get trialShare(): number {
    return this.#trial?.share ?? 0
  }

  /** The release of clients that ask for it. */
  get preview(): ReleasePreview | undefined {
    return this.#preview
  }

  /** @param preview undefined: there is no such release any more */
  setPreview(preview: PreviewOrder | undefined): void {
    if (preview?.release !== this.#preview?.release) this.#preview = preview && new ReleasePreview(preview)
  }

  get names(): readonly string[] {
    return this.#names
  }

  ofTarget(id: string): string {
    return this.#ofTarget.get(id) ?? BASE
  }

  /** @returns whether this is a change */
  set(specs: readonly TargetSpec[]): boolean {
    if (!this.areSeveral && specs.every(({ release }) => release === undefined)) return false
    this.#ofTarget.clear()
    let trial: Trial | undefined
    for (const { id, release, share = 0 } of specs) {
      if (release === undefined) continue
      this.#ofTarget.set(id, release)
      if (share > 0) trial = { release, share }
    }
    if (trial?.release !== this.#trial?.release) this.#cookieless = { all: 0, tried: 0 }
    this.#trial = trial
    this.#names = [...new Set([BASE, ...this.#ofTarget.values()])]
    return true
  }

  /** The release for a request; undefined while there is but one. */
  of(request: IncomingMessage): string | undefined {
    if (this.#preview?.isFor(request) === true) return this.#preview.release
    if (!this.areSeveral) return undefined
    const trial = this.#trial
    if (trial === undefined) return BASE
    return this.#drawFor(request, trial).number < Math.round(trial.share * DRAWS) ? trial.release : BASE
  }

  /** The cookie by which a client stays with its release; undefined when there is no trial, or the client has it. */
  cookieFor(request: IncomingMessage): string | undefined {
    const trial = this.#trial
    if (trial === undefined || this.#preview?.isFor(request) === true) return undefined
    const draw = this.#drawFor(request, trial)
    if (draw.isKept) return undefined
    const value = `${trial.release}.${draw.number}`
    return `${COOKIE}=${value}.${this.#sealOf(value)}; Path=/; HttpOnly; SameSite=Lax; Max-Age=${MAX_AGE_S}`
  }

  #drawFor(request: IncomingMessage, trial: Trial): Draw {
    const known = this.#byRequest.get(request)
    if (known?.release === trial.release) return known
    const kept = this.#numberIn(request.headers.cookie, trial)
    const draw = {
      release: trial.release,
      number: kept ?? this.#drawByConnection(request.socket, trial),
      isKept: kept !== undefined,
    }
    this.#byRequest.set(request, draw)
    return draw
  }

  /** One connection may carry any number of requests, so a connection changes sides when these are off the share. */
  #drawByConnection(socket: Socket, { share }: Trial): number {
    const counts = this.#cookieless
    let number = this.#byConnection.get(socket) ?? Math.floor(this.random() * DRAWS)
    counts.all += 1
    const due = share * counts.all
    const below = Math.round(share * DRAWS)
    if (number < below && counts.tried + 1 > due + SLACK) number = below + Math.floor(this.random() * (DRAWS - below))
    else if (number >= below && counts.tried < due - SLACK) number = Math.floor(this.random() * below)
    number = Math.min(number, DRAWS - 1)
    if (number < below) counts.tried += 1
    this.#byConnection.set(socket, number)
    return number
  }

  #numberIn(cookie: string | undefined, { release }: Trial): number | undefined {
    const [, name, number, seal = ''] = VALUE.exec(cookie ?? '') ?? []
    if (name !== release || number === undefined) return undefined
    return isSame(seal, this.#sealOf(`${name}.${number}`)) ? Number(number) : undefined
  }

  #sealOf(value: string): string {
    return createHmac('sha256', this.key).update(`release ${value}`).digest('base64url').slice(0, 16)
  }
}

const VALUE = new RegExp(`(?:^|;\\s*)${COOKIE}=([\\w-]{1,64})\\.(\\d{1,4})\\.([\\w-]{16})(?=;|$)`)
const DRAWS = 10_000
/** A bake is shorter; what is left of a cookie is of no use to a later one. */
const MAX_AGE_S = 3_600
/** How many requests of clients without a cookie may be off the share. */
const SLACK = 10

function isSame(given: string, sealed: string): boolean {
  return given.length === sealed.length && timingSafeEqual(Buffer.from(given), Buffer.from(sealed))
}

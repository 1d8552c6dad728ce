/** The kinds of events; docs/security.md says what each one is, and a test holds the two together. */
export const securityEvents = [
  'sign-in',
  'sign-in-failed',
  'password-changed',
  'sessions-ended',
  'limited',
  'forbidden',
  'framing-refused',
  'client-ejected',
  'identity-refused',
] as const

export type SecurityEvent = (typeof securityEvents)[number]

/** Events that are not faults. */
const ORDINARY: ReadonlySet<SecurityEvent> = new Set(['sign-in', 'password-changed', 'sessions-ended'])

export interface SecurityEventsOptions {
  /** Lines of one kind in a minute. */
  max?: number
  now?: () => number
}

/** Where the lines go: a log, or a process that has one. */
export interface EventLog {
  info(facts: Record<string, unknown>, message: string): void
  warn(facts: Record<string, unknown>, message: string): void
}

const WINDOW_MS = 60_000
const MAX = 60

interface Window {
  began: number
  logged: number
  left: number
}

/**
 * Writes what concerns the security of the service to the log, as `<subject> <verb>: <reason>` with the kind in the field
 * `security`. An attacker can cause any number of events, so the lines of one kind are bounded, and the rest is counted:
 * the next line of the kind says how many were left out.
 */
export class SecurityEvents {
  readonly #windows = new Map<SecurityEvent, Window>()
  readonly #max: number
  readonly #now: () => number

  constructor(
    private readonly log: EventLog,
    options: SecurityEventsOptions = {},
  ) {
    this.#max = options.max ?? MAX
    this.#now = options.now ?? (() => performance.now())
  }

  /**
   * @param message `<subject> <verb>: <reason>`, without anything that a client has chosen
   * @param facts what a client has chosen, and who it is; never a password, token or cookie
   */
  note(kind: SecurityEvent, message: string, facts: Record<string, unknown> = {}): void {
    const window = this.#windowOf(kind)
    if (window.logged >= this.#max) {
      window.left += 1
      return
    }
    window.logged += 1
    const leftOut = window.left === 0 ? {} : { leftOut: window.left }
    window.left = 0
    const level = ORDINARY.has(kind) ? 'info' : 'warn'
    this.log[level]({ security: kind, ...facts, ...leftOut }, message)
  }

  #windowOf(kind: SecurityEvent): Window {
    const now = this.#now()
    const window = this.#windows.get(kind)
    if (window === undefined) {
      const first = { began: now, logged: 0, left: 0 }
      this.#windows.set(kind, first)
      return first
    }
    if (now - window.began >= WINDOW_MS) Object.assign(window, { began: now, logged: 0 })
    return window
  }
}

/** What a balancer is to do with the requests of clients before it looks for a target. Empty: nothing. */
export interface EdgeOrder {
  /** Requests wait until then, or until another order, in milliseconds since 1970. */
  readonly pausedUntil?: number | undefined
  readonly maintenance?: MaintenanceOrder | undefined
  /** The release that only those get who ask for it. */
  readonly preview?: string | undefined
  /** Clients may have pages of another release until then, in milliseconds since 1970. */
  readonly mixedUntil?: number | undefined
}

/** Clients get a page in place of what the targets would answer. */
export interface MaintenanceOrder {
  /** HTML. */
  readonly page: string
  /** When they are told to try again, in seconds. */
  readonly retryAfterS: number
  /** Addresses and ranges (CIDR) of clients that reach the targets as ever. */
  readonly allowed: readonly string[]
}

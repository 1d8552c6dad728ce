/** The order to a balancer about requests, before it looks for a target. An empty order changes nothing. */
export interface EdgeOrder {
  /** Requests wait until then, or until another order, in milliseconds since 1970. */
  readonly pausedUntil?: number | undefined
  readonly maintenance?: MaintenanceOrder | undefined
  readonly preview?: PreviewOrder | undefined
  /** Clients may have pages of another release until then, in milliseconds since 1970. */
  readonly mixedUntil?: number | undefined
}

/** The release of clients that ask for it. */
export interface PreviewOrder {
  readonly release: string
  /** Clients that were given its link have it. */
  readonly token: string
}

/** Clients get a page in place of what the targets would answer. */
export interface MaintenanceOrder {
  /** HTML. */
  readonly page: string
  /** When they are told to try again, in seconds. */
  readonly retryAfterS: number
  /** Addresses and ranges (CIDR) of clients that still reach the targets. */
  readonly allowed: readonly string[]
}

/** Tells a balancer how to treat requests before it looks for a target. An empty order changes nothing. */
export interface EdgeOrder {
  /** Requests wait until then, or until another order, in milliseconds since 1970. */
  readonly pausedUntil?: number | undefined
  readonly maintenance?: MaintenanceOrder | undefined
  readonly preview?: PreviewOrder | undefined
  /** Clients may have pages of another release until then, in milliseconds since 1970. */
  readonly mixedUntil?: number | undefined
}

/** A release for only those clients that ask for it. */
export interface PreviewOrder {
  readonly release: string
  /** Clients get it by the link to the preview. */
  readonly token: string
}

/** Clients get a page in place of the answers of targets. */
export interface MaintenanceOrder {
  /** HTML. */
  readonly page: string
  /** How long clients are told to wait, in seconds. */
  readonly retryAfterS: number
  /** Addresses and ranges (CIDR) of clients that still reach the targets. */
  readonly allowed: readonly string[]
}

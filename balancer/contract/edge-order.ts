/** What a balancer is to do with the requests of clients before it looks for a target. Empty: nothing. */
export interface EdgeOrder {
  /** Requests wait until then, or until another order, in milliseconds since 1970. */
  readonly pausedUntil?: number | undefined
}

// The facts about targets that a balancer gets from the process that starts them.

/** The desired state of a target. */
export interface TargetSpec {
  id: string
  /** The unix socket on which it serves HTTP. */
  socketPath: string
  draining: boolean
  /** The release that it runs, unless that is the one of all clients that get no other. */
  release?: string | undefined
  /** The share of the clients that get this release, from 0 to 1. */
  share?: number | undefined
}

/** How the process of a target has ended. */
export interface EndedTarget {
  id: string
  /** By itself or in a hang, so perhaps because of a request; not because somebody killed it. */
  fault: boolean
  /** The request is known. */
  explained?: boolean | undefined
}

/** A kind of request that has ended targets. */
export interface FatalRequest {
  method: string
  /** The path without the query, cut to a length that fits a log. */
  path: string
}

/** The findings of another balancer about a kind of request. */
export interface KnownFatalRequest extends FatalRequest {
  /** When targets ended, the last three at least; in milliseconds since 1970. */
  endedAt: readonly number[]
}

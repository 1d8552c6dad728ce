import type { ClientIdentity } from '../contract/client-envelope.js'
import type { ClientAccount } from '../ledger/client-account.js'

/** The other end of a connection. */
export interface Reader {
  readonly peer: ClientIdentity
  /** The account of the peer, which may be a proxy with many clients. */
  readonly account: ClientAccount
  readonly isProxy: boolean
}

/** The same, while the connection is open. */
export interface OpenConnection extends Reader {
  readonly isUpgraded: boolean
}

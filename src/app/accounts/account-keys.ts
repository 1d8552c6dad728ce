/**
 * The Redis keys of accounts; see src/services/keys.ts for the others. Keys of one account share a hash tag, so that one
 * script may change them together.
 */
export const accountKeys = {
  /** Account record, JSON. */
  user: (username: string) => `outpost:user:{${username}}`,
  /** The sign-ins of an account: a hash from the id of each to its record, JSON. */
  signIns: (username: string) => `outpost:sign-ins:{${username}}`,
  /** The sign-in behind a bearer token, by the hash of the token. */
  token: (tokenHash: string) => `outpost:token:{${tokenHash}}`,
  /** Failed sign-ins to one account from one client. */
  failedLogins: (username: string, client: string) => `outpost:failed-logins:{${username}}:${client}`,
  /** Failed sign-ins to one account from all clients that are new to it. */
  guesses: (username: string) => `outpost:guesses:{${username}}`,
  /** When a client that is new to an account may try next: a hash from the client to milliseconds since 1970. */
  guessTurns: (username: string) => `outpost:guess-turns:{${username}}`,
  /** Clients from which an account was made or signed in: a sorted set by time. */
  knownClients: (username: string) => `outpost:known-clients:{${username}}`,
} as const

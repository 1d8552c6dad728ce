/** The Redis keys of accounts; see src/services/keys.ts for the others. */
export const accountKeys = {
  /** Account record, JSON. */
  user: (username: string) => `outpost:user:{${username}}`,
  /** The session behind a bearer token, by the hash of the token. */
  token: (tokenHash: string) => `outpost:token:{${tokenHash}}`,
  /** Failed sign-ins to one account from one client. */
  failedLogins: (username: string, client: string) => `outpost:failed-logins:{${username}}:${client}`,
} as const

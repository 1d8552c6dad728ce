/**
 * Every key that Outpost writes. What one command touches together shares a hash tag (the part in braces), so that
 * the same code runs on a Redis Cluster.
 */
export const keys = {
  /** Account record, JSON. */
  user: (username: string) => `outpost:user:{${username}}`,
  /** The session behind a bearer token, by the token's hash. */
  token: (tokenHash: string) => `outpost:token:{${tokenHash}}`,
  /** express-session data; connect-redis appends the session id. */
  sessionPrefix: 'outpost:session:',
  /** Requests of one client under one rule. */
  rateLimit: (rule: string, client: string) => `outpost:rate:${rule}:{${client}}`,
  /** Failed sign-ins to one account from one client. */
  failedLogins: (username: string, client: string) => `outpost:failed-logins:{${username}}:${client}`,
} as const

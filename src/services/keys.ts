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
  /** Cached value with its lock and times, a hash: see cache-scripts.ts. */
  cache: (name: string) => `outpost:cache:{${name}}`,
  /** Held by the one who does a piece of work for the whole cluster. */
  lease: (name: string) => `outpost:lease:{${name}}`,
  /** There as long as a multipart upload's worker lives. */
  liveUpload: (uploadId: string) => `outpost:live-upload:{${uploadId}}`,
} as const

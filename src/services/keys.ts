/**
 * The Redis keys of the lent services. Keys that one command touches together share a hash tag (the part in braces), so
 * that the same code runs on a Redis Cluster.
 */
export const keys = {
  /** express-session data; connect-redis appends the session id. */
  sessionPrefix: 'outpost:session:',
  /** Requests of one client under one rule. */
  rateLimit: (rule: string, client: string) => `outpost:rate:${rule}:{${client}}`,
  /** Cached value with its lock and times, a hash: see cache-scripts.ts. */
  cache: (name: string) => `outpost:cache:{${name}}`,
  /** Held by the process that does a piece of work for the whole cluster. */
  lease: (name: string) => `outpost:lease:{${name}}`,
  /** The number of the last holder of a lease. */
  fence: (name: string) => `outpost:fence:{${name}}`,
  /** The time that a cron job was last begun for. */
  cronTime: (job: string) => `outpost:cron:{${job}}`,
  /** Written by readiness checks, for a second: a Redis that can be read may refuse writes. */
  readiness: 'outpost:readiness',
  /** Present while the worker of a multipart upload is alive. */
  liveUpload: (uploadId: string) => `outpost:live-upload:{${uploadId}}`,
} as const

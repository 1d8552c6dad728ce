// Latencies are counted in buckets, so that those of several balancers can be added up.

const FIRST_MS = 0.1
/** Each bucket is so much wider than the one before: the error of a percentile is below 10 %. */
const GROWTH = 1.1
const BUCKETS = 160

/** The bucket of a latency. */
export function bucketOf(ms: number): number {
  if (ms <= FIRST_MS) return 0
  return Math.min(BUCKETS - 1, Math.ceil(Math.log(ms / FIRST_MS) / Math.log(GROWTH)))
}

/** The longest latency of a bucket, in milliseconds. */
export function boundOf(bucket: number): number {
  return FIRST_MS * GROWTH ** bucket
}

/** The answers that a group of the clients of one release got since the last figures. */
export interface ReleaseFigures {
  /** Empty for the release of all clients that get no other. */
  release: string
  /** See `clientGroup`. */
  clients: number
  /** Answers, and those of them with a status from 500. */
  answered: number
  failed: number
  /** Tries without a whole answer. */
  broken: number
  /** The number of answers of other processes, by the bucket of the time until they began. */
  latencies: Array<[bucket: number, count: number]>
}

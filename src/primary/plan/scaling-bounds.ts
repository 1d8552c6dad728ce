import type { WorkerVitals } from './worker-load.js'

export interface AutoscaleLimits {
  /** Never fewer workers, and never more. */
  readonly min: number
  readonly max: number
  /** How many cores the processes may use. */
  readonly cores: number
  /** How many requests one worker may have in flight. */
  readonly places: number
}

export interface AutoscaleFacts {
  /** The workers that serve, once a second. */
  readonly workers: readonly WorkerVitals[]
  /** Requests that wait for a place at a worker, in all balancing processes. */
  readonly waiting: number
  /** The cores that the other processes of the instance use. */
  readonly otherCpuUse: number
  /** Memory in bytes: what processes may still take, and all that there is; infinite where it is unknown. */
  readonly freeBytes: number
  readonly totalBytes: number
}

/** The most workers that may run, for a reason. */
export interface Bound {
  readonly by: 'range' | 'cores' | 'memory'
  readonly workers: number
  readonly why: string
}

/** This share of the memory is not for new workers. */
const SPARE_MEMORY = 0.1

/** The lowest bound. */
export function mostWorkers(facts: AutoscaleFacts, limits: AutoscaleLimits): Bound {
  const range: Bound = { by: 'range', workers: limits.max, why: `WORKERS allows ${limits.max}` }
  return [range, coresAllow(facts, limits), memoryAllows(facts)].reduce((least, bound) => {
    return bound.workers < least.workers ? bound : least
  })
}

/** One worker per core; more only as far as they leave cores unused, because they wait for something else. */
function coresAllow({ workers, otherCpuUse }: AutoscaleFacts, { cores }: AutoscaleLimits): Bound {
  const used = workers.reduce((sum, { cpuUse }) => sum + cpuUse, 0)
  const fit = used === 0 ? 0 : Math.floor(((cores - otherCpuUse) * workers.length) / used)
  const why = cores === 1 ? 'there is 1 core' : `there are ${cores} cores`
  return { by: 'cores', workers: Math.max(cores, fit), why }
}

/** How many workers fit into the memory, if each is as large as those that serve are on average. */
function memoryAllows({ workers, freeBytes, totalBytes }: AutoscaleFacts): Bound {
  const size = workers.reduce((sum, { rssBytes }) => sum + rssBytes, 0) / Math.max(1, workers.length)
  const free = Math.max(0, freeBytes - SPARE_MEMORY * totalBytes)
  const isUnknown = size === 0 || freeBytes === Infinity
  const fit = isUnknown ? Infinity : workers.length + Math.floor(free / size)
  return { by: 'memory', workers: fit, why: `memory has room for ${fit} of ${Math.round(size / 2 ** 20)} MiB each` }
}

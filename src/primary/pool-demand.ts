import type { PoolSize } from './pool-size.js'
import type { Child } from './processes/child.js'
import type { ChildFactory } from './processes/child-factory.js'
import type { ReleaseSwitch } from './releases/release-switch.js'
import type { ReloadRequests } from './reload-requests.js'
import type { StartRequests } from './start-requests.js'

export interface DemandFacts {
  pool: PoolSize
  releases: ReleaseSwitch
  reloads: ReloadRequests
  starts: StartRequests
  factory: ChildFactory
  isPaused: () => boolean
  /** Connections that wait for a worker. */
  waiting: () => number
  /** A cron job that runs. */
  cronJob: () => string | undefined
}

/** Tells the pool what needs workers: the load, requests that wait, and what is under way. */
export class PoolDemand {
  constructor(private readonly facts: DemandFacts) {}

  /** To be called once a second. @param children that run */
  look(children: readonly Child[], now: number): void {
    const { pool, releases, starts } = this.facts
    const phase = releases.underWay?.phase
    // A release that is about to get its workers gets the promised number: one more might come too late for it.
    if (phase !== 'starting' && phase !== 'filling') {
      pool.followLoad(
        children.filter(({ spec }) => !releases.isAside(spec.release)),
        now,
      )
    }
    if (starts.areOver) pool.lookForSleep(children, this.#otherNeed(children), now)
  }

  /** While no worker runs, one waits to be the first. @param children that run */
  keepSpare(children: readonly Child[], generation: number): void {
    const { pool, releases, factory } = this.facts
    if (!pool.isAsleep) return factory.dropSpare()
    const serves = ({ role, spec }: Child): boolean => role === 'worker' && !releases.isAside(spec.release)
    if (children.some(serves)) return
    factory.prepareSpare({ role: 'worker', release: releases.current, place: 0, generation })
  }

  /** The need of workers beside the requests that processes report, in words. */
  #otherNeed(children: readonly Child[]): string | undefined {
    const { pool, releases, reloads, isPaused, waiting, cronJob } = this.facts
    if (releases.underWay !== undefined || releases.warm !== undefined) return 'a release changes'
    if (reloads.areUnderWay) return 'workers are being replaced'
    if (isPaused()) return 'traffic is paused'
    if (waiting() > 0 || children.some(child => child.awaitsConnections)) return 'a request waits'
    const starts = children.some(({ role, state }) => role === 'worker' && state === 'starting')
    if (starts) return 'a worker starts'
    // A job runs without workers, so it starts none. But it may use those that run, and keeps them for that.
    const job = pool.isAsleep ? undefined : cronJob()
    return job && `cron job "${job}" runs`
  }
}

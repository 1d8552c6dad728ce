import type { EdgeOrder } from '#balancer/contract/edge-order.js'
import type { Embeddable } from '../config/embedding.js'
import type { Logger } from '../process/log.js'
import type { ShutdownClock } from './host/shutdown-clock.js'
import type { Child } from './processes/child.js'
import type { ChildFactoryOptions } from './processes/child-factory.js'

/** The settings of a supervisor, and what it needs of the parts around it. */
export interface SupervisorOptions extends ChildFactoryOptions {
  shutdown: ShutdownClock
  log: Logger
  /** An app uses a server that may not run yet. */
  need(service: Embeddable): void
  /** Resolves when the servers that are started with the instance are there, or do not come. */
  whenServersServe(): Promise<void>
  /** The name of a cron job that runs. */
  cronJob?(): string | undefined
  /** A line that a child printed. */
  print(child: Child, line: string): void
  /** The release that all clients get; the code that the program was started with by default. */
  release?: string
  /** The order about requests, before a worker is looked for. */
  edgeOrder?: () => EdgeOrder
  /** Receives the release that all clients get, and the last reload that has replaced all workers. */
  follower?: { follow(release: string, generation: number): void }
}

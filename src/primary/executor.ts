import type { Action } from './plan/action.js'
import type { Child } from './processes/child.js'
import type { ChildFactory } from './processes/child-factory.js'
import type { ReleaseSwitch } from './releases/release-switch.js'
import { ReloadError, type ReloadRequests } from './reload-requests.js'
import { RestartCount } from './restart-count.js'
import type { StartRequests } from './start-requests.js'
import type { SupervisorLog } from './supervisor-log.js'
import type { Traffic } from './traffic/traffic.js'

export interface ExecutorParts {
  children: Map<string, Child>
  factory: ChildFactory
  traffic: Traffic
  reloads: ReloadRequests
  starts: StartRequests
  releases: ReleaseSwitch
  log: SupervisorLog
  /** A worker that ends before it has served this long has ended early. */
  provenMs: number
}

type ActionOnChild = Extract<Action, { child: string }>

/** Carries the actions of the plan out, and decides nothing. */
export class Executor {
  readonly #restarts = new RestartCount()

  constructor(private readonly parts: ExecutorParts) {}

  restartsOf({ spec }: Child): number {
    return this.#restarts.of(spec)
  }

  /** @returns whether another pass is needed: more may be due now, and the balancers need the new list */
  carryOut(action: Exclude<Action, { type: 'wait' }>): boolean {
    const { children, factory, traffic, reloads, log } = this.parts
    switch (action.type) {
      case 'start': {
        const child = factory.start(action.spec)
        children.set(child.name, child)
        return false
      }
      case 'route':
        traffic.direct(action.routes)
        return false
      case 'settle':
        log.reloaded(reloads.settled(action.generation))
        return false
      default: {
        const child = children.get(action.child)
        if (child === undefined) return false
        this.#carryOutOn(child, action)
        return true
      }
    }
  }

  replace(child: Child, reason: string): void {
    if (!child.markForReplacement(reason)) return
    this.#restarts.note(child.spec)
    this.parts.log.replaces(child, reason)
  }

  #carryOutOn(child: Child, action: ActionOnChild): void {
    const { children, traffic, log } = this.parts
    switch (action.type) {
      case 'replace':
        return this.replace(child, action.reason)
      case 'tolerate':
        child.markTolerated()
        return log.toleratesMemory(child)
      case 'drain':
        this.#noteSuccessor(child)
        return child.beginDrain()
      case 'stop':
        return child.stop(action.deadlineMs, action.graceMs, action.settleMs)
      case 'kill':
        log.kills(child, action.reason)
        return child.kill(action.reason, action.reason === undefined ? 0 : traffic.graceOf(child))
      case 'lose':
        return this.#lose(child, action)
      case 'abandon':
        child.markCounted()
        return this.#abandon(child, action)
      case 'forget':
        traffic.forget(child)
        children.delete(child.name)
    }
  }

  /** A worker that drains with no successor is one too many. */
  #noteSuccessor(child: Child): void {
    const { role, release, place, generation } = child.spec
    if (role !== 'worker') return
    const others = [...this.parts.children.values()].filter(({ spec, state }) => {
      return spec.role === role && spec.release === release && spec.place === place && state !== 'exited'
    })
    const newest = Math.max(...others.map(({ spec }) => spec.generation))
    if (newest > generation) this.parts.reloads.replaced(child, newest)
  }

  #lose(child: Child, { verdict }: Extract<Action, { type: 'lose' }>): void {
    const { starts, releases, log, provenMs } = this.parts
    child.markCounted()
    this.#restarts.note(child.spec)
    starts.lost(child)
    releases.lost(child.loss(provenMs))
    log.lost(child, verdict)
  }

  /** The error has the last output of the worker, which may still be on its way. */
  #abandon(child: Child, { generation, replaced }: Extract<Action, { type: 'abandon' }>): void {
    const { reloads, log } = this.parts
    void child.printed.then(() => {
      const error = new ReloadError(child, replaced)
      reloads.abandoned(generation, error)
      log.reloadFailed(error)
    })
  }
}

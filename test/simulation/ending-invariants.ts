import type { FakeChild } from './fake-child.js'
import { ensure, isProven, occupantsOf, type SimulatedWorld } from './simulated-world.js'

/** The promises about processes that drain, stop or are killed. */
export class EndingInvariants {
  constructor(private readonly world: SimulatedWorld) {}

  /** A ready process is not taken out before its successor is proven. */
  checkDrain(child: FakeChild): void {
    const isStartingWorker = child.state === 'starting' && child.spec.role === 'worker'
    ensure(!isStartingWorker || this.world.desired.shutdown !== undefined, `${child.name} is starting and drains`)
    if (child.state !== 'ready' || this.world.desired.shutdown !== undefined) return
    if (this.world.wantedPlaces().has(child.key)) {
      return ensure(this.#isSucceeded(child), `${child.name} drains before its successor is proven`)
    }
    // Nobody is sent to a release that is withdrawn.
    if (this.world.desired.releases.some(({ id, workers }) => id === child.spec.release && workers === 0)) return
    for (const place of this.world.wantedPlaces()) {
      const isFilled = occupantsOf(this.world, place).some(other => isProven(this.world, other))
      ensure(isFilled, `${child.name} is removed while ${place} is not served`)
    }
  }

  #isSucceeded(child: FakeChild): boolean {
    return occupantsOf(this.world, child.key).some(other => other !== child && isProven(this.world, other))
  }

  checkStop(child: FakeChild, deadlineMs: number): void {
    const { now, limits, desired } = this.world
    const { name, key, spec, drainingSince } = child
    if (desired.shutdown !== undefined) {
      const { cutAt, graceMs } = desired.shutdown
      ensure(deadlineMs === Math.max(cutAt - now, graceMs), `${name} is cut before the end of the shutdown`)
      const isLast = spec.role === 'balancer' || this.world.children().every(each => each.isGoneOr('worker'))
      ensure(isLast, `${name} is stopped before the balancers have exited`)
    } else if (drainingSince === undefined) {
      const [holder] = occupantsOf(this.world, key)
      const isSuccessor = holder !== undefined && holder.startedAt < child.startedAt
      const isUseless = child.state === 'starting' && (!this.world.wantedPlaces().has(key) || this.#isSucceeded(child))
      ensure(isSuccessor || isUseless, `${name} holds its place and is stopped`)
    } else if (child.state === 'draining' && child.observe(now).drained) {
      ensure(deadlineMs >= limits.stopTimeoutMs, `${name} has drained and gets ${deadlineMs} ms to exit`)
    } else {
      ensure(now >= drainingSince + limits.drainTimeoutMs, `${name} is cut before its drain has timed out`)
      ensure(deadlineMs === limits.cutMs, `${name} is cut within ${deadlineMs} ms`)
    }
  }

  checkKill(child: FakeChild, reason: string | undefined): void {
    const { now, limits, awakeSince } = this.world
    if (reason === undefined) {
      ensure(child.killAt !== undefined && now >= child.killAt, `${child.name} is killed before its deadline`)
    } else if (child.state === 'starting') {
      const due = Math.max(child.startedAt, awakeSince) + limits.startTimeoutMs
      ensure(now >= due, `${child.name} is killed before its start has timed out`)
    } else if (reason.startsWith('no heartbeat')) {
      ensure(child.hung, `${child.name} is killed for a hang, but does not hang`)
    } else ensure(!child.reachable, `${child.name} is killed and is healthy`)
  }

  /** Nothing is overdue, and the plan has asked for a pass at the next deadline. */
  checkAtRest(wakeUp: number): void {
    const { now, desired } = this.world
    const balancersEnd = !this.world.children().every(each => each.isGoneOr('worker'))
    for (const child of this.world.children()) {
      const { name, spec, state, drainingSince } = child
      for (const [what, due] of this.#deadlinesOf(child)) {
        ensure(now < due, `${name} is ${state}, and its ${what} is overdue`)
        ensure(wakeUp <= due, `${name} is ${state}, and no pass is asked for at its ${what}`)
      }
      ensure(state !== 'crashed' || drainingSince !== undefined, `${name} has crashed and is not told to drain`)
      if (desired.shutdown === undefined) {
        ensure(state !== 'draining' || !child.observe(now).drained, `${name} has drained and is not stopped`)
      } else if (state !== 'exited') {
        ensure(child.leaving || balancersEnd, `${name} is ${state} in the shutdown`)
        ensure(child.leaving || spec.role === 'balancer', `${name} is not drained in the shutdown`)
        ensure(state === 'stopping' || (balancersEnd && spec.role === 'worker'), `${name} is ${state} in the shutdown`)
      }
    }
  }

  #deadlinesOf(child: FakeChild): Array<[what: string, due: number]> {
    const { awakeSince, limits, desired } = this.world
    const { state, killAt, drainingSince } = child
    if (state === 'exited') return []
    if (state === 'stopping') return killAt === undefined ? [] : [['stop', killAt]]
    const startDue = Math.max(child.startedAt, awakeSince) + limits.startTimeoutMs
    if (state === 'starting') return [['start', startDue]]
    const dues: Array<[string, number]> = [['heartbeat', Math.max(child.heardAt, awakeSince) + limits.hangTimeoutMs]]
    if (drainingSince !== undefined && desired.shutdown === undefined) {
      dues.push(['drain', drainingSince + limits.drainTimeoutMs])
    }
    if (state === 'ready' && !child.reachable && this.#isSuccessor(child)) dues.push(['first healthy probe', startDue])
    return dues
  }

  #isSuccessor(child: FakeChild): boolean {
    if (child.spec.role === 'balancer' || !this.world.wantedPlaces().has(child.key)) return false
    return occupantsOf(this.world, child.key)[1] === child
  }
}

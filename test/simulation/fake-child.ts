import type { StartSpec } from '#src/primary/plan/action.js'
import { placeKey, type ChildRole, type ChildState, type ObservedChild } from '#src/primary/plan/observed.js'

/** A process of the simulated world: the same transitions as those of `Child`, with the world's clock. */
export class FakeChild {
  /** Names the place that it was started for. */
  readonly key: string
  state: ChildState = 'starting'
  readyAt: number | undefined
  endedAt: number | undefined
  heardAt: number
  drainingSince: number | undefined
  killAt: number | undefined
  leaving = false
  reachable = false
  drained = false
  rssBytes = 100
  replaceReason: string | undefined
  tolerated = false
  pardoned = false
  counted = false
  /** The process sends no heartbeat and ignores orders. */
  hung = false
  killed = false
  /** The process exits by itself when it is ordered to. */
  obedient = true

  constructor(
    readonly name: string,
    readonly spec: StartSpec,
    readonly startedAt: number,
  ) {
    this.key = placeKey(spec)
    this.heardAt = startedAt
  }

  get isServing(): boolean {
    return this.state === 'starting' || this.state === 'ready'
  }

  /** The process has not given up its place. */
  get isStaying(): boolean {
    return !this.leaving && this.state !== 'exited'
  }

  get isReachable(): boolean {
    return this.state === 'ready' && (this.reachable || this.spec.role === 'balancer')
  }

  /** Whether the process has exited or is of this role. */
  isGoneOr(role: ChildRole): boolean {
    return this.state === 'exited' || this.spec.role === role
  }

  observe(now: number): ObservedChild {
    const { role, release, place, generation } = this.spec
    return {
      name: this.name,
      role,
      release,
      place,
      generation,
      state: this.state,
      startedAt: this.startedAt,
      readyAt: this.readyAt,
      heardAt: this.heardAt,
      drainingSince: this.drainingSince,
      killAt: this.killAt,
      leaving: this.leaving,
      servedMs: this.readyAt === undefined ? 0 : (this.endedAt ?? now) - this.readyAt,
      reachable: this.isReachable,
      drained: this.drained || role === 'balancer',
      rssBytes: this.rssBytes,
      lastSecond: { cpuUse: 0, loopUse: 0, requestsPerSecond: 0 },
      replaceReason: this.replaceReason,
      tolerated: this.tolerated,
      pardoned: this.pardoned,
      counted: this.counted,
    }
  }

  ready(now: number): void {
    if (this.state !== 'starting') return
    this.state = 'ready'
    this.readyAt = now
  }

  crash(now: number): void {
    if (!this.isServing) return
    this.state = 'crashed'
    this.leaving = true
    this.endedAt = now
  }

  drain(now: number): void {
    if (this.state !== 'crashed') this.state = 'draining'
    this.leaving = true
    this.drainingSince = now
  }

  stop(killAt: number): void {
    this.state = 'stopping'
    this.leaving = true
    this.killAt = killAt
  }

  kill(): void {
    this.state = 'stopping'
    this.killAt = undefined
    this.killed = true
  }

  exit(now: number): void {
    this.endedAt ??= now
    this.state = 'exited'
  }
}

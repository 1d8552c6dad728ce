import type { BalancerOptions } from '../options.js'
import { Probe } from './probe.js'

/** The receiver of a health check's results. */
export interface HealthCheckConsumer {
  /** The target is not in use yet, so it is probed more often. */
  readonly joining: boolean
  /** The target is in use, and its last probe was good. */
  readonly settled: boolean
  /** @param fault why the probe is bad */
  probeCompleted(good: boolean, fault?: string): void
}

export type HealthCheckOptions = Pick<
  BalancerOptions,
  'healthPath' | 'healthyBelow' | 'healthIntervalMs' | 'healthTimeoutMs' | 'joinIntervalMs' | 'identityKey'
>

/** This many balancers may probe a target as often as one does. With more of them, each probes it less often. */
const PROBERS_AT_FULL_PACE = 4
const SLOWEST = 4

/** Keeps the probes that a target gets bounded: in mesh mode every worker probes every other. */
export class ProbePace {
  #slowdown = 1

  shareTargetsAmong(balancers: number): void {
    this.#slowdown = Math.min(SLOWEST, Math.max(1, balancers / PROBERS_AT_FULL_PACE))
  }

  /** In milliseconds. Only a target without a doubt is probed less often. */
  pauseAfter({ joining, settled }: HealthCheckConsumer, options: HealthCheckOptions): number {
    if (joining) return options.joinIntervalMs
    return settled ? options.healthIntervalMs * this.#slowdown : options.healthIntervalMs
  }
}

/** Probes a target over its unix socket at intervals. */
export class HealthCheck {
  #timer: NodeJS.Timeout | undefined
  #probe: Probe | undefined
  #stopped = false

  constructor(
    private readonly socketPath: string,
    private readonly consumer: HealthCheckConsumer,
    private readonly options: HealthCheckOptions,
    private readonly pace = new ProbePace(),
  ) {}

  start(): void {
    void this.#check()
  }

  stop(): void {
    this.#stopped = true
    clearTimeout(this.#timer)
    this.#probe?.destroy()
  }

  /** Something else has taken the target out: a long pause that was begun before ends sooner. */
  hurry(): void {
    if (this.#stopped || this.#timer === undefined) return
    clearTimeout(this.#timer)
    this.#pause()
  }

  async #check(): Promise<void> {
    this.#timer = undefined
    this.#probe = new Probe(this.socketPath, this.options)
    const fault = await this.#probe.fault
    if (this.#stopped) return
    this.consumer.probeCompleted(fault === undefined, fault)
    this.#pause()
  }

  #pause(): void {
    // In mesh mode it runs beside an app, whose own end it must not delay.
    this.#timer = setTimeout(() => void this.#check(), this.pace.pauseAfter(this.consumer, this.options)).unref()
  }
}

/** A target whose probes fail for this long is reported, with the reason. */
const TOLD_AFTER_MS = 2_500

/** States of a target that takes no requests because of its probes. */
const OUT = new Set(['joining', 'unhealthy', 'unreachable'])

/** Counts probes in a row, and changes the state of the target when enough of them agree. */
export class HealthThresholds implements HealthCheckConsumer {
  #goodInARow = 0
  #badInARow = 0
  #badSince: number | undefined
  #isTold = false

  /** @param onOut told once why the target stays out of use, until a probe is good again */
  constructor(
    private readonly target: { readonly state: string; markReady(): void; markUnhealthy(): void },
    private readonly options: Pick<BalancerOptions, 'healthFall' | 'healthRise'>,
    private readonly onOut: (reason: string) => void = () => undefined,
    private readonly now: () => number = () => performance.now(),
  ) {}

  get joining(): boolean {
    return this.target.state === 'joining' || this.target.state === 'unreachable'
  }

  get settled(): boolean {
    return this.target.state === 'ready' && this.#badInARow === 0
  }

  probeCompleted(good: boolean, fault?: string): void {
    this.#count(good)
    if (good) this.#badSince = undefined
    else this.#tell(fault ?? 'a probe failed')
  }

  #tell(fault: string): void {
    this.#badSince ??= this.now()
    if (this.#isTold || !OUT.has(this.target.state) || this.now() - this.#badSince < TOLD_AFTER_MS) return
    this.#isTold = true
    this.onOut(fault)
  }

  #count(good: boolean): void {
    if (good) this.#isTold = false
    this.#goodInARow = good ? this.#goodInARow + 1 : 0
    this.#badInARow = good ? 0 : this.#badInARow + 1
    // An ejected target comes back when its time is over, not when a probe is good.
    if (this.target.state === 'ejected' && good) return
    if (good && (this.joining || this.#goodInARow >= this.options.healthRise)) this.target.markReady()
    else if (this.#badInARow >= this.options.healthFall) this.target.markUnhealthy()
  }
}

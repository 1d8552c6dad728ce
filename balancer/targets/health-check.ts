import http from 'node:http'
import { IDENTITY_HEADER, sealProbe } from '../contract/client-envelope.js'
import type { BalancerOptions } from '../options.js'

/** What a health check reports to. */
export interface HealthCheckConsumer {
  /** The target is not in use yet, so it is probed more often. */
  readonly joining: boolean
  probeCompleted(good: boolean): void
}

export type HealthCheckOptions = Pick<
  BalancerOptions,
  'healthPath' | 'healthyBelow' | 'healthIntervalMs' | 'healthTimeoutMs' | 'joinIntervalMs' | 'identityKey'
>

/** Probes a target over its unix socket at intervals. */
export class HealthCheck {
  #timer: NodeJS.Timeout | undefined
  #probe: http.ClientRequest | undefined
  #stopped = false

  constructor(
    private readonly socketPath: string,
    private readonly consumer: HealthCheckConsumer,
    private readonly options: HealthCheckOptions,
  ) {}

  start(): void {
    void this.#check()
  }

  stop(): void {
    this.#stopped = true
    clearTimeout(this.#timer)
    this.#probe?.destroy()
  }

  async #check(): Promise<void> {
    const good = await this.#probeOnce()
    if (this.#stopped) return
    this.consumer.probeCompleted(good)
    const { joinIntervalMs, healthIntervalMs } = this.options
    this.#timer = setTimeout(() => void this.#check(), this.consumer.joining ? joinIntervalMs : healthIntervalMs)
  }

  /** Opens a new connection each time, because the target must accept new ones to be healthy. */
  #probeOnce(): Promise<boolean> {
    const { healthPath: path, healthyBelow, healthTimeoutMs, identityKey } = this.options
    return new Promise(resolve => {
      const probe = http.get({
        socketPath: this.socketPath,
        path,
        agent: false,
        headers: {
          [IDENTITY_HEADER]: sealProbe(identityKey),
          host: 'localhost',
          'user-agent': 'outpost-health-check',
        },
      })
      const timeout = setTimeout(() => probe.destroy(), healthTimeoutMs)
      probe.once('response', answer => {
        resolve((answer.statusCode ?? 500) < healthyBelow)
        answer.resume().once('error', () => undefined)
      })
      probe.once('error', () => resolve(false))
      probe.once('close', () => {
        clearTimeout(timeout)
        resolve(false)
      })
      this.#probe = probe
    })
  }
}

/** Counts probes in a row, and changes the state of the target when enough of them agree. */
export class HealthThresholds implements HealthCheckConsumer {
  #goodInARow = 0
  #badInARow = 0

  constructor(
    private readonly target: { readonly state: string; markReady(): void; markUnhealthy(): void },
    private readonly options: Pick<BalancerOptions, 'healthFall' | 'healthRise'>,
  ) {}

  get joining(): boolean {
    return this.target.state === 'joining' || this.target.state === 'unreachable'
  }

  probeCompleted(good: boolean): void {
    this.#goodInARow = good ? this.#goodInARow + 1 : 0
    this.#badInARow = good ? 0 : this.#badInARow + 1
    // An ejected target comes back when its time is over, not when a probe is good.
    if (this.target.state === 'ejected' && good) return
    if (good && (this.joining || this.#goodInARow >= this.options.healthRise)) this.target.markReady()
    else if (this.#badInARow >= this.options.healthFall) this.target.markUnhealthy()
  }
}

import { EventEmitter, once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { Balancer, type BalancerOptions, type TargetSpec } from '#balancer'
import type { FatalRequestFound } from '#balancer/requests/fatal-requests.js'
import { until, within } from './deadline.js'
import type { Harness } from './harness.js'
import { RawConnection } from './raw-http.js'

interface Events {
  drained: [id: string]
  state: [id: string, state: string]
}

interface TargetLike {
  readonly spec: TargetSpec
}

/** Short deadlines. Probes are rare unless a test is about them. */
const QUICK: Partial<BalancerOptions> = { joinIntervalMs: 5, holdMs: 1_000, overloadWaitMs: 50 }

/** A balancer on a port of its own, with the record of its events. */
export class RunningBalancer extends EventEmitter<Events> {
  readonly balancer: Balancer
  readonly drained: string[] = []
  readonly explained: string[] = []
  readonly fatal: FatalRequestFound[] = []
  readonly refused: string[] = []
  /** Bytes of streamed bodies that were passed on, in both directions. */
  bytesPassed = 0
  /** The pauses in which nothing was in flight any more. */
  readonly quietIn: number[] = []
  readonly states = new Map<string, string>()
  #where: number | string = 0
  readonly #clients: RawConnection[] = []

  private constructor(options: Partial<BalancerOptions>) {
    super()
    this.balancer = new Balancer(
      { ...QUICK, ...options },
      {
        onDrained: id => {
          this.drained.push(id)
          this.emit('drained', id)
        },
        onBytesPassed: bytes => (this.bytesPassed += bytes),
        onQuiet: pausedUntil => this.quietIn.push(pausedUntil),
        onTargetExplained: id => this.explained.push(id),
        onRefused: (code, client) => this.refused.push(`${code} ${client}`),
        onFatalRequest: request => this.fatal.push(request),
        onTargetState: (id, state) => {
          this.states.set(id, state)
          this.emit('state', id, state)
        },
      },
    )
  }

  /**
   * Listens, and waits until every one of `targets` is ready.
   * @param path of a unix socket to listen on in place of a port: its buffers do not grow
   */
  static async start(
    t: Harness,
    targets: readonly TargetLike[] = [],
    options: Partial<BalancerOptions> = {},
    path?: string,
  ): Promise<RunningBalancer> {
    const running = new RunningBalancer(options)
    await running.balancer.listen(path === undefined ? { port: 0, host: '127.0.0.1' } : { path })
    running.#where = path ?? (running.balancer.address() as AddressInfo).port
    t.teardown(async () => {
      for (const client of running.#clients) client.destroy()
      await running.balancer.stop(0)
    })
    await running.setTargets(...targets)
    return running
  }

  get port(): number {
    return Number(this.#where)
  }

  /** Replaces all targets by `targets`, and waits until they are ready. */
  async setTargets(...targets: readonly TargetLike[]): Promise<void> {
    this.balancer.setTargets(targets.map(({ spec }) => spec))
    await Promise.all(targets.map(({ spec }) => this.becomes(spec.id, 'ready')))
  }

  async becomes(id: string, state: string): Promise<void> {
    while (this.states.get(id) !== state) await within(once(this, 'state'), `${id} to become ${state}`)
  }

  /** A client's connection, which the teardown closes if the test does not. */
  async connect(): Promise<RawConnection> {
    const connection = await RawConnection.open(this.#where)
    this.#clients.push(connection)
    return connection
  }

  /** Waits until nothing is open any more. */
  async quiet(connections = 0): Promise<void> {
    await until(() => {
      const { inFlight, upgraded, waiting } = this.balancer.ledger()
      return inFlight + upgraded + waiting === 0 && this.balancer.connections <= connections
    }, 'the balancer to be idle')
  }
}

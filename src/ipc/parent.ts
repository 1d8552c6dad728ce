import { EventEmitter, once } from 'node:events'
import { exit, exitCodes } from '../process/exit.js'
import { RestingMemory } from '../resources/resting-memory.js'
import {
  MessageError,
  parseOrder,
  sendReport,
  type BalancerStartOrder,
  type LaterOrder,
  type Report,
  type StartOrder,
} from './messages.js'
import { SelfMeasurement } from './self-measurement.js'
import type { RequestCounts } from './vitals.js'

type AnyStart = StartOrder | BalancerStartOrder
type StartType = AnyStart['type']

interface ParentEvents {
  start: [order: AnyStart]
  /** @param handle an open socket that came with the order */
  order: [order: LaterOrder, handle: unknown]
  /** The primary has exited. */
  gone: []
}

/** Emits messages of the primary and signals: the process, or the part that gets them before the app. */
export type MessageSource = Pick<EventEmitter, 'on'>

const HEARTBEAT_MS = 1_000
const MAX_LEASES_TOLD = 8
const MAX_NAME_TOLD = 64

/** How long requests in flight may take after the primary has exited. */
const ORPHAN_DEADLINE_MS = 4_000

/** The primary, as a balancer or worker sees it: the source of orders and the receiver of reports. */
export class Parent extends EventEmitter<ParentEvents> {
  readonly #self = new SelfMeasurement(HEARTBEAT_MS)
  readonly #memory = new RestingMemory()

  #counts: () => RequestCounts = () => ({ inFlight: 0, streaming: 0, waiting: 0, upgraded: 0, requests: 0 })

  #leases: () => string[] = () => []

  /** Orders that came before `begin`. */
  #early: Array<[order: LaterOrder, handle: unknown]> | undefined = []

  #leaveEarly: () => void = () => exit(exitCodes.ok)

  /**
   * Opens the channel and waits for the first order. Signals that are meant for the primary are ignored from now on.
   * @param type the order that starts a process of the caller's role
   */
  static async join<Type extends StartType>(
    type: Type,
    source: MessageSource = process,
  ): Promise<{ parent: Parent; start: Extract<AnyStart, { type: Type }> }> {
    const parent = new Parent(source)
    if (!process.connected) parent.#left()
    // Only now may the primary send anything: a cluster worker drops messages while its modules load.
    parent.report({ type: 'hello' })
    const [start] = (await once(parent, 'start')) as [AnyStart]
    if (start.type !== type) throw new MessageError(`first message is not the order ${type}: ${start.type}`)
    return { parent, start: start as Extract<AnyStart, { type: Type }> }
  }

  private constructor(source: MessageSource) {
    super()
    // A terminal sends these to every process of the group; the primary decides what they mean.
    for (const signal of ['SIGINT', 'SIGHUP'] as const) source.on(signal, () => undefined)
    source.on('SIGTERM', () => this.#terminated())
    source.on('disconnect', () => this.#left())
    source.on('message', (message: unknown, handle: unknown) => {
      if (isClusterInternal(message)) return
      const order = parseOrder(message)
      if (order.type === 'start' || order.type === 'start-balancer') this.emit('start', order)
      else if (this.#early === undefined) this.emit('order', order, handle)
      // Before `begin` nothing is in flight.
      else if (order.type === 'stop') this.#leaveEarly()
      else this.#early.push([order, handle])
    })
    // The primary reads this output. After its exit, printing must not end this process.
    for (const stream of [process.stdout, process.stderr]) stream.on('error', () => undefined)
    const heartbeat = (): void => {
      const leases = this.#leases()
        .slice(0, MAX_LEASES_TOLD)
        .map(name => name.slice(0, MAX_NAME_TOLD))
      const vitals = this.#self.take(this.#counts())
      this.report({ type: 'heartbeat', vitals: { ...vitals, leases } })
      this.#memory.look(vitals.loopUse)
    }
    setInterval(heartbeat, HEARTBEAT_MS).unref()
  }

  /** The delay of the event loop at the last heartbeat, in milliseconds. */
  get loopDelayMs(): number {
    return this.#self.loopDelayMs
  }

  /** Each heartbeat tells these counts from now on. */
  countRequestsBy(counts: () => RequestCounts): void {
    this.#counts = counts
  }

  /** Each heartbeat tells the names of these leases from now on. */
  tellLeases(leases: () => string[]): void {
    this.#leases = leases
  }

  /** Replaces the exit for a stop that comes before `begin`. */
  whenStoppedEarly(leave: () => void): void {
    this.#leaveEarly = leave
  }

  /** Delivers the orders, now that all listeners are in place. */
  begin(): void {
    const early = this.#early ?? []
    this.#early = undefined
    for (const [order, handle] of early) this.emit('order', order, handle)
  }

  /** Ends this process after the primary has exited: gracefully, within a deadline that also ends a stop under way. */
  whenGone(leave: (deadlineMs: number) => Promise<void>): void {
    this.once('gone', () => {
      setTimeout(() => exit(exitCodes.ok), ORPHAN_DEADLINE_MS)
      void leave(ORPHAN_DEADLINE_MS)
    })
  }

  report(report: Report): void {
    sendReport(report)
  }

  /** The primary has exited. Before `begin` nothing is served here, so there is nothing to finish. */
  #left(): void {
    if (this.#early !== undefined) exit(exitCodes.ok)
    this.emit('gone')
  }

  #terminated(): void {
    if (process.connected) this.report({ type: 'replace-me', reason: 'SIGTERM' })
    else this.emit('gone')
  }
}

function isClusterInternal(message: unknown): boolean {
  return typeof message === 'object' && message !== null && 'cmd' in message
}

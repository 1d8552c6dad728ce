import { EventEmitter, once } from 'node:events'
import { exit, exitCodes } from '../process/exit.js'
import { parseOrder, sendReport, type Order, type Report, type StartOrder } from './messages.js'

interface ParentEvents {
  start: [order: StartOrder]
  /** @param handle an open socket that came with the order */
  order: [order: Exclude<Order, StartOrder>, handle: unknown]
  /** The primary has exited. */
  gone: []
}

/** Where messages of the primary and signals arrive: the process, or what takes them before an app sees them. */
export type Channel = Pick<EventEmitter, 'on'>

const HEARTBEAT_MS = 1_000

/** How long requests in flight may take after the primary has exited. */
const ORPHAN_DEADLINE_MS = 4_000

/** The primary, as a balancer or worker sees it: the source of orders and the receiver of reports. */
export class Parent extends EventEmitter<ParentEvents> {
  /** The delay of the event loop at the last measurement, in milliseconds. */
  loopDelayMs = 0

  /** Orders that came before `begin`. */
  #early: Array<[order: Exclude<Order, StartOrder>, handle: unknown]> | undefined = []

  #leaveEarly: () => void = () => exit(exitCodes.ok)

  /** Opens the channel. Signals that are meant for the primary are ignored here from now on. */
  static async join(channel: Channel = process): Promise<{ parent: Parent; start: StartOrder }> {
    const parent = new Parent(channel)
    if (!process.connected) parent.#left()
    // Only now may the primary send anything: a cluster worker drops messages while its modules load.
    parent.report({ type: 'hello' })
    const [start] = (await once(parent, 'start')) as [StartOrder]
    return { parent, start }
  }

  private constructor(channel: Channel) {
    super()
    // A terminal sends these to every process of the group; the primary decides what they mean.
    for (const signal of ['SIGINT', 'SIGHUP'] as const) channel.on(signal, () => undefined)
    channel.on('SIGTERM', () => this.#terminated())
    channel.on('disconnect', () => this.#left())
    channel.on('message', (message: unknown, handle: unknown) => {
      if (isClusterInternal(message)) return
      const order = parseOrder(message)
      if (order.type === 'start') this.emit('start', order)
      else if (this.#early === undefined) this.emit('order', order, handle)
      // Before `begin` nothing is in flight.
      else if (order.type === 'stop') this.#leaveEarly()
      else this.#early.push([order, handle])
    })
    // The primary reads this output. After its exit, printing must not end this process.
    for (const stream of [process.stdout, process.stderr]) stream.on('error', () => undefined)
    let last = performance.now()
    setInterval(() => {
      const now = performance.now()
      this.loopDelayMs = Math.max(0, now - last - HEARTBEAT_MS)
      last = now
      const vitals = { loopDelayMs: this.loopDelayMs, rssBytes: process.memoryUsage.rss() }
      this.report({ type: 'heartbeat', vitals })
    }, HEARTBEAT_MS).unref()
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

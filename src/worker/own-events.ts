import { EventEmitter } from 'node:events'
import type { MessageSource } from '../ipc/parent.js'
import { isHiddenThread } from './own-threads.js'

/** Events from the primary or the terminal, which are for Outpost and not for the app. */
const DIVERTED = new Set<string | symbol>(['message', 'disconnect', 'SIGTERM', 'SIGINT', 'SIGHUP'])

/** Node's own listeners: it notices by the first two that a signal has one, and its cluster needs the third. */
const OF_NODE = new Set<string | symbol | undefined>(['newListener', 'removeListener', 'internalMessage'])

type Emit = (this: NodeJS.Process, event: string | symbol, ...args: unknown[]) => boolean

const doNothing = (): void => undefined

/**
 * The events of a worker process that are Outpost's. They never reach the listeners of the app, whenever those were
 * added: the app has its process to itself.
 */
export class OwnEvents extends EventEmitter implements MessageSource {
  // eslint-disable-next-line @typescript-eslint/unbound-method -- called with a `this` each time
  readonly #emit = process.emit as unknown as Emit
  /** Events that came before anything listened for them: a signal may arrive while the app loads. */
  readonly #early: Array<[event: string | symbol, args: unknown[]]> = []

  /** Called once the event loop has nothing else to wait for. The app gets no such event. */
  whenIdle: (() => void) | undefined
  /** The signal by which the app was told to end. From then on it is the app's, as under node. */
  #told: NodeJS.Signals | undefined

  override on(event: string | symbol, listener: (...args: never[]) => void): this {
    super.on(event, listener as (...args: unknown[]) => void)
    const due = this.#early.filter(([early]) => early === event)
    for (const entry of due) this.#early.splice(this.#early.indexOf(entry), 1)
    queueMicrotask(() => {
      for (const [early, args] of due) this.emit(early, ...args)
    })
    return this
  }

  install(): void {
    const arrives = (event: string | symbol, args: unknown[]): boolean => this.#arrives(event, args)
    const emit = this.#emit
    process.emit = function (this: NodeJS.Process, event: string | symbol, ...args: unknown[]) {
      return arrives(event, args) || emit.call(this, event, ...args)
    } as typeof process.emit
    // Without a listener, Node holds messages back and lets signals end the process.
    for (const event of DIVERTED) if (event !== 'disconnect') process.on(event as 'message', doNothing)
    this.#stayThere()
    // The channel is not the app's to close. Node calls this as well when the primary has exited, and then drops the channel.
    process.disconnect = () => process.nextTick(() => this.#noteEnd())
  }

  /**
   * Calls the app's own listeners of SIGTERM, or of SIGINT where there are none.
   * @returns false when the app listens to neither
   */
  tellAppToEnd(): boolean {
    for (const [signal, number] of [
      ['SIGTERM', 15],
      ['SIGINT', 2],
    ] as const) {
      const listeners = process.listeners(signal).filter(listener => listener !== doNothing)
      if (listeners.length === 0) continue
      this.#told = signal
      // Many apps end by sending themselves the signal once more, with no listener left.
      process.off(signal, doNothing)
      this.#emit.call(process, signal, signal, number)
      return true
    }
    return false
  }

  /** Whether the app was told to end. */
  get haveToldApp(): boolean {
    return this.#told !== undefined
  }

  /** As if somebody had sent SIGTERM to this worker. */
  askForReplacement(): void {
    this.#arrives('SIGTERM', ['SIGTERM', 15])
  }

  /** An app may remove all listeners of its process, or those that it finds there. */
  #stayThere(): void {
    process.on('removeListener', (event, listener) => {
      if (listener === doNothing && event !== this.#told) process.on(event as 'message', doNothing)
    })
    // eslint-disable-next-line @typescript-eslint/unbound-method -- called with a `this` each time
    const removeAll = process.removeAllListeners
    process.removeAllListeners = function (this: NodeJS.Process, ...named: [event?: string | symbol]) {
      for (const event of named.length > 0 ? named : this.eventNames()) {
        if (!OF_NODE.has(event)) removeAll.call(this, event)
      }
      return this
    }
  }

  #noteEnd(): void {
    // Node sets it to null.
    if (!process.connected || Boolean(process.channel)) return
    process.connected = false
    this.#arrives('disconnect', [])
  }

  #arrives(event: string | symbol, args: unknown[]): boolean {
    if (DIVERTED.has(event) && event !== this.#told) {
      if (!this.emit(event, ...args)) this.#early.push([event, args])
      return true
    }
    if (event === 'worker' && isHiddenThread(args[0])) return true
    if (event !== 'beforeExit' || this.whenIdle === undefined) return false
    this.whenIdle()
    return true
  }
}

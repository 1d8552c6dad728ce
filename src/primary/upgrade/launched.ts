import { EventEmitter, on } from 'node:events'
import { ControlError } from '../../control/protocol.js'
import { programVersion } from '../../process/version.js'
import type { BoundHandle } from '../host/bound-handle.js'
import { PublicPort } from '../host/public-port.js'
import { parseToProgram, type ProgramFile, type ToLauncher, type ToProgram } from './messages.js'
import type { Prepared, Successors } from './successors.js'

interface LauncherEvents {
  message: [message: ToProgram, handle: unknown]
}

/** The launcher of this process, as a program sees it that was started for an upgrade. */
export class Launched implements Successors {
  readonly #launcher = new EventEmitter<LauncherEvents>()
  /** Messages that were not read yet wait here. */
  readonly #messages = on(this.#launcher, 'message') as AsyncIterator<LauncherEvents['message']>
  #port: PublicPort | undefined

  /**
   * @param onAlone called when the launcher has exited. Its supervisor takes this program for ended, and may start
   *   another one
   */
  constructor(onAlone: () => void) {
    process.on('disconnect', onAlone)
    process.on('message', (message, handle) => {
      const parsed = parseToProgram(message)
      if (parsed !== undefined) this.#launcher.emit('message', parsed, handle)
    })
  }

  /** Receives the public port. */
  async take(): Promise<PublicPort> {
    const [message, handle] = await this.#next()
    if (message.type !== 'take') throw new Error(`first message of the launcher is not "take": ${message.type}`)
    this.#port = PublicPort.inherit({ handle: handle as BoundHandle, host: message.host, port: message.port })
    return this.#port
  }

  /**
   * Waits until the program before this one has ended.
   * @param servingMs how long the start may take then
   * @returns why an upgrade has failed, if this program comes back after it
   */
  async standBy(servingMs: number): Promise<string | undefined> {
    this.#send({ type: 'standing-by', version: programVersion, servingMs }, this.#port?.handle)
    for (;;) {
      const [message] = await this.#next()
      if (message.type === 'go') return message.failure
    }
  }

  serving(): void {
    this.#send({ type: 'serving' })
  }

  failed(reason: string): void {
    this.#send({ type: 'failed', reason })
  }

  async prepare(file: ProgramFile, { handle, host, port }: PublicPort): Promise<Prepared> {
    this.#send({ type: 'upgrade', file, host, port }, handle)
    const [message] = await this.#next()
    if (message.type === 'prepared') return message
    throw new ControlError('UPGRADE_REFUSED', message.type === 'refused' ? { message: message.reason } : {})
  }

  cancel(): void {
    this.#send({ type: 'cancel' })
  }

  async #next(): Promise<LauncherEvents['message']> {
    const { value } = (await this.#messages.next()) as IteratorYieldResult<LauncherEvents['message']>
    return value
  }

  #send(message: ToLauncher, handle?: object): void {
    if (process.connected) process.send?.(message, handle as never, undefined, () => undefined)
  }
}

import { fork, type ChildProcess } from 'node:child_process'
import { EventEmitter } from 'node:events'
import { programEnvironment } from '../../config/app-environment.js'
import { onceEnded, spawned } from '../processes/spawn.js'
import type { Bound } from '../host/public-port.js'
import { parseToLauncher, type ProgramFile, type ToLauncher, type ToProgram } from './messages.js'

interface StandbyEvents {
  message: [message: ToLauncher, handle: unknown]
  /** @param ending an exit code, the name of a signal, or why it could not be started */
  exit: [ending: string]
}

/** A program as its launcher sees it: it holds the public port, waits, serves, and ends. */
export class Standby extends EventEmitter<StandbyEvents> {
  /** Why it did not serve. */
  failure: string | undefined
  readonly #process: ChildProcess
  #ending: string | undefined

  constructor(
    readonly file: ProgramFile,
    { handle, host, port }: Bound,
  ) {
    super()
    const { node: execPath, program } = file
    // A session of its own: Ctrl-C in a terminal is for the launcher, which passes it on.
    const stdio: Array<'ignore' | 'inherit' | 'ipc'> = ['ignore', 'inherit', 'inherit', 'ipc']
    const env = programEnvironment()
    this.#process = spawned(() => fork(program, ['standby'], { execPath, env, stdio, detached: true }))
    this.#process.on('message', (message, received) => {
      const parsed = parseToLauncher(message)
      if (parsed !== undefined) this.emit('message', parsed, received)
    })
    onceEnded(this.#process, ending => {
      this.#ending = ending
      this.emit('exit', ending)
    })
    this.send({ type: 'take', host, port }, handle)
  }

  get pid(): number {
    return this.#process.pid ?? 0
  }

  /** Undefined while it runs. */
  get ending(): string | undefined {
    return this.#ending
  }

  /** The exit code of one that has ended by itself. */
  get exitCode(): number | undefined {
    return this.#process.exitCode ?? undefined
  }

  /** A program that has just exited gets nothing: its exit is reported elsewhere. */
  send(message: ToProgram, handle?: object): void {
    if (this.#process.connected) this.#process.send(message, handle as never, () => undefined)
  }

  kill(signal: NodeJS.Signals): void {
    this.#process.kill(signal)
  }

  /**
   * Waits for a message.
   * @throws {Error} says why there will be none: the program failed or exited, or the time is over
   */
  next<Type extends ToLauncher['type']>(
    type: Type,
    withinMs: number,
  ): Promise<{ message: Extract<ToLauncher, { type: Type }>; handle: unknown }> {
    return new Promise((resolve, reject) => {
      const end = (): void => {
        clearTimeout(deadline)
        this.off('message', heard).off('exit', exited)
      }
      const fail = (reason: string): void => {
        end()
        reject(new Error(reason))
      }
      const heard = (message: ToLauncher, handle: unknown): void => {
        if (message.type === 'failed') return fail(message.reason)
        if (message.type !== type) return
        end()
        resolve({ message: message as Extract<ToLauncher, { type: Type }>, handle })
      }
      const exited = (ending: string): void => fail(`it ended: ${ending}`)
      const deadline = setTimeout(() => fail(`it did not get so far within ${withinMs / 1_000} s`), withinMs)
      if (this.#ending === undefined) this.on('message', heard).on('exit', exited)
      else exited(this.#ending)
    })
  }

  /** Waits until it has exited, and kills it after a while. */
  async end(signal: NodeJS.Signals, withinMs: number): Promise<void> {
    if (this.#ending !== undefined) return
    const exited = new Promise<void>(resolve => this.once('exit', () => resolve()))
    const deadline = setTimeout(() => this.kill('SIGKILL'), withinMs)
    this.kill(signal)
    await exited
    clearTimeout(deadline)
  }
}

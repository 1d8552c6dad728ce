import { fork, type ChildProcess } from 'node:child_process'
import { EventEmitter } from 'node:events'
import { programEnvironment } from '../../config/app-environment.js'
import { onceEnded, spawned } from '../processes/spawn.js'
import type { BoundPort } from '../host/public-port.js'
import { parseToLauncher, type ProgramFile, type ToLauncher, type ToProgram } from './messages.js'

interface StandbyEvents {
  message: [message: ToLauncher, handle: unknown]
  /** @param ending an exit code, the name of a signal, or why it could not be started */
  exit: [ending: string]
}

/** A program as its launcher sees it: it holds the public port, waits, serves, and ends. */
export class Standby extends EventEmitter<StandbyEvents> {
  /** Resolves when it has exited and all of its messages were read. */
  readonly ended: Promise<void>
  readonly #process: ChildProcess
  #ending: string | undefined
  #standsBy = false
  #servingMs: number | undefined

  constructor(
    readonly file: ProgramFile,
    { handle, host, port }: BoundPort,
  ) {
    super()
    const { node: execPath, program } = file
    // A session of its own: Ctrl-C in a terminal is for the launcher, which passes it on.
    const stdio: Array<'ignore' | 'inherit' | 'ipc'> = ['ignore', 'inherit', 'inherit', 'ipc']
    const env = programEnvironment()
    this.#process = spawned(() => fork(program, ['standby'], { execPath, env, stdio, detached: true }))
    this.#process.on('message', (message, received) => {
      const parsed = parseToLauncher(message)
      if (parsed?.type === 'standing-by') {
        this.#standsBy = true
        this.#servingMs = parsed.servingMs
      }
      if (parsed !== undefined) this.emit('message', parsed, received)
    })
    const exited = new Promise<string>(resolve => onceEnded(this.#process, resolve))
    this.ended = exited.then(async ending => {
      await disconnected(this.#process)
      this.#ending = ending
      this.emit('exit', ending)
    })
    this.send({ type: 'take', host, port }, handle)
  }

  get pid(): number {
    return this.#process.pid ?? 0
  }

  /** How long it may take to serve, if it has said so. */
  get servingMs(): number | undefined {
    return this.#servingMs
  }

  /** How it has ended. */
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

  /** A program that does not listen to SIGHUP yet would die of it, and loads the app's new code anyway. */
  kill(signal: NodeJS.Signals): void {
    if (signal !== 'SIGHUP' || this.#standsBy) this.#process.kill(signal)
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
      const deadline = setTimeout(() => fail(`it was not ready within ${withinMs / 1_000} s`), withinMs)
      if (this.#ending === undefined) this.on('message', heard).on('exit', exited)
      else exited(this.#ending)
    })
  }

  /** Ends it, and kills it after a while. Its messages are ignored from now on. */
  async end(signal: NodeJS.Signals, withinMs: number): Promise<void> {
    this.removeAllListeners('message')
    const deadline = setTimeout(() => this.kill('SIGKILL'), withinMs)
    this.kill(signal)
    await this.ended
    clearTimeout(deadline)
  }
}

/** The rest of a channel is read within this time after the exit of its process. */
const LAST_WORDS_MS = 1_000

/**
 * Resolves when the channel is closed, and so read to its end: the `exit` event may come earlier. The channel of a process
 * that could not be started is never closed, and Node does not tell of the end of one over which a handle was on its way.
 */
function disconnected(process: ChildProcess): Promise<void> {
  if (process.pid === undefined || !process.connected) return Promise.resolve()
  return new Promise(resolve => {
    const deadline = setTimeout(resolve, LAST_WORDS_MS)
    process.once('disconnect', () => {
      clearTimeout(deadline)
      resolve()
    })
  })
}

import { ControlError } from '../../control/protocol.js'
import { exitCodes } from '../../process/exit.js'
import type { BoundHandle } from '../host/bound-handle.js'
import type { Bound } from '../host/public-port.js'
import type { ProgramFile, ToLauncher } from './messages.js'
import { Standby } from './standby.js'
import type { Prepared, Successors } from './successors.js'

/** A program loads its code, reads its environment, and stands by within this time. */
const STANDBY_MS = 30_000
/** A program serves within this time, or the one before it comes back. */
const SERVING_MS = 120_000
/** A program that has failed stops what it has started within this time. */
const FAILED_END_MS = 40_000

/**
 * The process that a person or a service manager has started. It serves by itself until the first upgrade. After that it
 * only starts programs, one after the other, passes signals on to the one that serves, and ends with it. So whoever
 * watches the process sees it run through all upgrades.
 */
export class Launcher implements Successors {
  #isPreparing = false
  /** The program that is to serve, and the port, which this process keeps open until it does. */
  #next: { program: Standby; port: Bound } | undefined
  #current: Standby | undefined
  #isStopping = false

  /** @param ownFile the program of this process */
  constructor(private readonly ownFile: ProgramFile) {}

  async prepare(file: ProgramFile, { handle, host, port }: Bound): Promise<Prepared> {
    if (this.#isPreparing || this.#next !== undefined) throw new ControlError('UPGRADE_UNDER_WAY')
    this.#isPreparing = true
    const program = new Standby(file, { handle, host, port })
    try {
      const { message, handle: kept } = await program.next('standing-by', STANDBY_MS)
      // What came back is this process's own: the port stays open without the handle of the program that ends.
      this.#next = { program, port: { handle: kept as BoundHandle, host, port } }
      return { version: message.version, pid: program.pid }
    } catch (error) {
      program.kill('SIGKILL')
      throw new ControlError('UPGRADE_REFUSED', { message: `the other version cannot serve: ${reasonOf(error)}` })
    } finally {
      this.#isPreparing = false
    }
  }

  cancel(): void {
    this.#next?.program.kill('SIGKILL')
    this.#next?.port.handle.close()
    this.#next = undefined
  }

  /**
   * Runs what was prepared, and each program that is prepared by the one before it. Called when this process serves no
   * more itself.
   * @returns the exit code of the last one
   */
  async run(): Promise<number> {
    process.title = 'outpost launcher'
    for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) {
      process.on(signal, () => {
        if (signal !== 'SIGHUP') this.#isStopping = true
        this.#current?.kill(signal)
      })
    }
    let before = this.ownFile
    while (this.#next !== undefined && !this.#isStopping) {
      const { program, port } = this.#next
      this.#next = undefined
      const served = (await this.#start(program)) ?? (await this.#comeBack(before, port, program.failure))
      port.handle.close()
      if (served === undefined) break
      before = served.file
      await exitOf(served)
    }
    return this.#current?.exitCode ?? exitCodes.failure
  }

  async #comeBack(file: ProgramFile, port: Bound, failure: string | undefined): Promise<Standby | undefined> {
    if (this.#isStopping) return undefined
    const program = new Standby(file, port)
    this.#current = program
    await program.next('standing-by', STANDBY_MS).catch(() => undefined)
    return this.#start(program, failure)
  }

  /** @param failure of the program that this one comes back after */
  async #start(program: Standby, failure?: string): Promise<Standby | undefined> {
    this.#current = program
    program.on('message', (message, handle) => void this.#answer(program, message, handle))
    try {
      program.send({ type: 'go', ...(failure !== undefined && { failure }) })
      await program.next('serving', SERVING_MS)
      return program
    } catch (error) {
      program.failure = reasonOf(error)
      await program.end('SIGTERM', FAILED_END_MS)
      return undefined
    }
  }

  async #answer(program: Standby, message: ToLauncher, handle: unknown): Promise<void> {
    if (message.type === 'cancel') this.cancel()
    if (message.type !== 'upgrade') return
    const { file, host, port } = message
    const answer = await this.prepare(file, { handle: handle as BoundHandle, host, port }).then(
      prepared => ({ type: 'prepared' as const, ...prepared }),
      (error: unknown) => ({ type: 'refused' as const, reason: reasonOf(error) }),
    )
    ;(handle as BoundHandle).close()
    program.send(answer)
  }
}

const reasonOf = (error: unknown): string => (error as Error).message

function exitOf(program: Standby): Promise<void> {
  if (program.ending !== undefined) return Promise.resolve()
  return new Promise(resolve => program.once('exit', () => resolve()))
}

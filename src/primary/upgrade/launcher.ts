import { ControlError } from '../../control/protocol.js'
import { announceUpgrade, withdrawUpgrade } from '../../control/upgrade-sign.js'
import { exitCodes } from '../../process/exit.js'
import type { BoundHandle } from '../host/bound-handle.js'
import type { BoundPort } from '../host/public-port.js'
import type { ProgramFile, ToLauncher } from './messages.js'
import { Standby } from './standby.js'
import type { Prepared, Successors } from './successors.js'

/** A program loads its code, reads its environment, and stands by within this time. */
const STANDBY_MS = 30_000
/** A program serves within this time, or its predecessor comes back. */
const SERVING_MS = 120_000
/** One that ends unasked within this time after it has served is followed by its predecessor. */
const PROVING_MS = 60_000
/** A program that has failed stops what it has started within this time. */
const FAILED_END_MS = 40_000
/** The program before takes commands again within this time. */
const COMEBACK_MS = FAILED_END_MS + 60_000

/**
 * The process that a person or a service manager has started. It serves by itself until the first upgrade. After that it
 * only starts programs, one after the other, passes signals on to the one that serves, and ends with it. So a service
 * manager sees one process run through all upgrades.
 */
export class Launcher implements Successors {
  /** The program that is being started, and has not answered yet. */
  #preparing: Standby | undefined
  /** The program that is to serve, and the port, which this process keeps open until it does. */
  #next: { program: Standby; port: BoundPort } | undefined
  #current: Standby | undefined
  /** Stays open until the program that serves at it is proven: its predecessor may have to come back. */
  #kept: BoundHandle | undefined
  #isStopping = false

  /**
   * @param ownFile the program of this process
   * @param dataDir where commands look for a program that is to follow, when none takes them
   */
  constructor(
    private readonly ownFile: ProgramFile,
    private readonly dataDir: string,
  ) {}

  async prepare(file: ProgramFile, { handle, host, port }: BoundPort): Promise<Prepared> {
    if (this.#preparing !== undefined || this.#next !== undefined) throw new ControlError('UPGRADE_UNDER_WAY')
    const program = new Standby(file, { handle, host, port })
    this.#preparing = program
    try {
      const { message, handle: kept } = await program.next('standing-by', STANDBY_MS)
      if (this.#preparing !== program) throw new Error('it is not wanted any more')
      // The handle that came back is this process's own, so the port stays open without that of the program that ends.
      this.#next = { program, port: { handle: kept as BoundHandle, host, port } }
      return { version: message.version, pid: program.pid, launcher: process.pid }
    } catch (error) {
      program.kill('SIGKILL')
      throw new ControlError('UPGRADE_REFUSED', { message: `the other version cannot serve: ${reasonOf(error)}` })
    } finally {
      if (this.#preparing === program) this.#preparing = undefined
    }
  }

  cancel(): void {
    this.#preparing?.kill('SIGKILL')
    this.#preparing = undefined
    this.#next?.program.kill('SIGKILL')
    this.#next?.port.handle.close()
    this.#next = undefined
  }

  /**
   * Runs the program that was prepared, and each program that its predecessor prepares. Called when this process serves no
   * more itself.
   * @returns the exit code of the last one
   */
  async run(): Promise<number> {
    process.title = 'outpost launcher'
    for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) {
      process.on(signal, () => {
        if (signal !== 'SIGHUP') this.#stop()
        this.#current?.kill(signal)
      })
    }
    let before = this.ownFile
    while (this.#next !== undefined && !this.#isStopping) {
      const { program, port } = this.#next
      this.#next = undefined
      this.#kept = port.handle
      this.#announceComeback()
      const failure = (await this.#failureOf(program)) ?? (await this.#earlyEndOf(program))
      const last = failure === undefined ? program : this.#comeBack(before, port, failure)
      this.#closePort()
      if (last === undefined) break
      before = last.file
      await last.ended
    }
    this.cancel()
    withdrawUpgrade(this.dataDir)
    return this.#current?.exitCode ?? exitCodes.failure
  }

  /** The one that served until now goes on trying, as after a restart: its app may lack what the other one lacked. */
  #comeBack(file: ProgramFile, port: BoundPort, failure: string): Standby | undefined {
    if (this.#isStopping) return undefined
    // The program that has failed may have prepared another one.
    this.cancel()
    const program = new Standby(file, port)
    this.#start(program, failure)
    return program
  }

  /** Starts a program that stands by. @returns why it does not serve, after its end */
  async #failureOf(program: Standby): Promise<string | undefined> {
    this.#start(program)
    try {
      await program.next('serving', program.servingMs ?? SERVING_MS)
      return undefined
    } catch (error) {
      await program.end('SIGTERM', FAILED_END_MS)
      return reasonOf(error)
    }
  }

  /**
   * Waits until a program that serves is proven, or was told to end.
   * @returns why it has ended, if nobody has asked it to
   */
  async #earlyEndOf(program: Standby): Promise<string | undefined> {
    const served = performance.now()
    let timer: NodeJS.Timeout | undefined
    const proven = new Promise<boolean>(resolve => (timer = setTimeout(resolve, PROVING_MS, true)))
    const isProven = await Promise.race([proven, program.ended.then(() => false)])
    clearTimeout(timer)
    if (isProven && this.#next === undefined) withdrawUpgrade(this.dataDir)
    if (isProven || this.#isStopping || this.#next !== undefined || program.exitCode === exitCodes.ok) return undefined
    return `it ended ${Math.round((performance.now() - served) / 1_000)} s after it served: ${program.ending ?? ''}`
  }

  /** Until a program is proven, another one follows it, and commands wait for that. */
  #announceComeback(): void {
    try {
      announceUpgrade(this.dataDir, { launcher: process.pid, withinMs: COMEBACK_MS })
    } catch {
      // On a full disk commands fail at once; the programs go on.
    }
  }

  /** Nothing is to follow, and connections are refused when the program that serves has closed its port. */
  #stop(): void {
    this.#isStopping = true
    withdrawUpgrade(this.dataDir)
    this.#closePort()
  }

  #closePort(): void {
    this.#kept?.close()
    this.#kept = undefined
  }

  /** @param failure of the program that this one comes back after */
  #start(program: Standby, failure?: string): void {
    this.#current = program
    program.on('message', (message, handle) => void this.#answer(program, message, handle))
    program.send({ type: 'go', ...(failure !== undefined && { failure }) })
  }

  async #answer(program: Standby, message: ToLauncher, handle: unknown): Promise<void> {
    if (message.type === 'cancel') {
      this.#stop()
      this.cancel()
    }
    // The program before comes back with the port in its own hands.
    if (message.type === 'standing-by') (handle as BoundHandle).close()
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

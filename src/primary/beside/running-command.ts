import type { ChildProcess } from 'node:child_process'
import { constants } from 'node:os'
import { spawnBesideWeb } from '../host/lifeline.js'
import { readOutput } from '../processes/lines.js'
import { killGroup, onceEnded, signalGroup, spawned } from '../processes/spawn.js'

/** How a command of the app is run. */
export interface CommandLaunch {
  /** At least one; no shell reads them. */
  readonly words: readonly string[]
  readonly cwd: string
  /** All of it. */
  readonly env: NodeJS.ProcessEnv
}

export interface CommandObserver {
  ended(): void
  printed(line: string): void
}

/** A command of the app beside its web, with all that it has started, as the primary sees it. */
export class RunningCommand {
  /** The last 20; the array changes as the command prints. */
  readonly lastLines: readonly string[]
  readonly #process: ChildProcess
  /** In the clock of `performance.now()`. */
  readonly startedAt = performance.now()
  #endedAt: number | undefined
  #asked = false
  #killAt: number | undefined
  #ending = ''
  #succeeded = false

  /** @param lifeline path of the named pipe whose end stops it */
  constructor(
    /** In messages, e.g. `worker.1`. */
    readonly name: string,
    { words, cwd, env }: CommandLaunch,
    lifeline: string,
    observer: CommandObserver,
  ) {
    this.#process = spawned(() => spawnBesideWeb(lifeline, words, { cwd, env: { ...env, PWD: cwd } }))
    this.lastLines = readOutput(this.#process, line => observer.printed(line))
    onceEnded(this.#process, (ending, { code }) => {
      killGroup(this.#process)
      this.#endedAt = performance.now()
      this.#ending = signalOf(code) ?? ending
      this.#succeeded = code === 0
      observer.ended()
    })
  }

  /** The id of the group of the command and of all processes that it has started. */
  get pid(): number | undefined {
    return this.#process.pid
  }

  /** An exit code, the name of a signal, or the reason why it never ran. */
  get ending(): string {
    return this.#ending
  }

  /** It has ended with exit code 0. */
  get succeeded(): boolean {
    return this.#succeeded
  }

  /** `stopping`: it was asked to end. */
  get state(): 'running' | 'stopping' | 'exited' {
    if (this.#endedAt !== undefined) return 'exited'
    return this.#asked ? 'stopping' : 'running'
  }

  /** Whether it was asked to end. */
  get asked(): boolean {
    return this.#asked
  }

  /** How long it has run, in milliseconds. */
  get ranMs(): number {
    return (this.#endedAt ?? performance.now()) - this.startedAt
  }

  /** When it is to be killed; undefined before it was asked to end, and once it is killed. */
  get killAt(): number | undefined {
    return this.#killAt
  }

  /** Asks it to end. @param deadlineMs after which the caller is to kill it */
  stop(deadlineMs: number): void {
    if (this.state !== 'running') return
    this.#asked = true
    this.#killAt = performance.now() + deadlineMs
    signalGroup(this.#process, 'SIGTERM')
  }

  kill(): void {
    if (this.state === 'exited') return
    this.#asked = true
    this.#killAt = undefined
    killGroup(this.#process)
  }
}

/** A shell reports the end by a signal as an exit code. */
function signalOf(code: number | undefined): string | undefined {
  return code === undefined ? undefined : Object.entries(constants.signals).find(([, each]) => each === code - 128)?.[0]
}

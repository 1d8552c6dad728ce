import type { ChildProcess } from 'node:child_process'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Logger } from '../../process/log.js'
import type { Service } from '../../process/service.js'
import { judgeLoss, noRestarts } from '../plan/restart-policy.js'
import { readOutput } from '../processes/lines.js'
import { killGroup, onceEnded, spawned } from '../processes/spawn.js'

/**
 * What a probe found:
 * - `serves`: the server takes requests
 * - `busy`: it answers, but takes none yet, e.g. because it is loading its data
 * - `silent`: no answer within the probe's own deadline, or nothing listens
 * - `unasked`: this process had no open file or memory to spare for the question
 */
export type ProbeResult = 'serves' | 'busy' | 'silent' | 'unasked'

export interface ManagedServerOptions {
  /** For log messages, e.g. "redis". */
  name: string
  /** Starts the server, as the leader of a process group. May throw. */
  command: () => ChildProcess
  /** Over within about a second, and never rejects. */
  probe: () => Promise<ProbeResult>
  /** How long a stop may take, in milliseconds; asked for at the stop. */
  stopTimeoutMs: () => number
  log: Logger
}

const STARTING_PROBE_MS = 25
const PROBE_MS = 1_000
/** Silent probes in a row before the server counts as hanging. Counted, not timed: this process may have slept. */
const MAX_SILENT = 10

/** One server of this machine: started, watched, restarted with a back-off, killed when it hangs, stopped. */
export class ManagedServer implements Service {
  #restarts = noRestarts
  #process: ChildProcess | undefined
  #servesSince: number | undefined
  #restart: NodeJS.Timeout | undefined
  #stopping = false
  #stopped: Promise<void> | undefined

  constructor(private readonly options: ManagedServerOptions) {}

  /** Does not wait until the server serves: a large data set takes its time to load. */
  start(): Promise<void> {
    this.#spawn()
    return Promise.resolve()
  }

  stop(): Promise<void> {
    this.#stopped ??= this.#stop()
    return this.#stopped
  }

  /** Over when the server serves; false when that takes longer than `timeoutMs`. */
  async serving(timeoutMs: number): Promise<boolean> {
    const deadline = performance.now() + timeoutMs
    while (this.#servesSince === undefined && performance.now() < deadline) await sleep(STARTING_PROBE_MS)
    return this.#servesSince !== undefined
  }

  #spawn(): void {
    const { name, command, log } = this.options
    const child = spawned(command)
    const lastLines = readOutput(child, line => log.debug({ line }, `${name} printed`))
    onceEnded(child, ending => this.#exited(child, ending, lastLines))
    this.#process = child
    void this.#watch(child)
  }

  /** Until it ends: probes often until it serves, and every second from then on. */
  async #watch(child: ChildProcess): Promise<void> {
    const { name, probe, log } = this.options
    let heard = false
    let silent = 0
    while (silent < MAX_SILENT) {
      const asked = performance.now()
      const result = await probe()
      if (!this.#watches(child)) return
      if (result === 'serves') this.#servesSince ??= performance.now()
      heard ||= result === 'serves' || result === 'busy'
      // Before its first answer it may not even listen yet.
      if (result !== 'unasked') silent = result === 'silent' && heard ? silent + 1 : 0
      const everyMs = this.#servesSince === undefined ? STARTING_PROBE_MS : PROBE_MS
      await sleep(Math.max(everyMs - (performance.now() - asked), 1))
    }
    if (!this.#watches(child)) return
    log.error({ unansweredProbes: silent }, `${name} does not answer and is killed`)
    killGroup(child)
  }

  #watches(child: ChildProcess): boolean {
    return this.#process === child && !this.#stopping
  }

  #exited(child: ChildProcess, ending: string, lastLines: readonly string[]): void {
    killGroup(child) // a guard may have been killed alone, and two servers on the same data would corrupt them
    this.#process = undefined
    const servedMs = this.#servesSince === undefined ? 0 : performance.now() - this.#servesSince
    this.#servesSince = undefined
    if (this.#stopping) return
    const { name, log } = this.options
    const loss = { place: name, servedMs, generation: 0 }
    const { verdict, history } = judgeLoss(this.#restarts, loss, performance.now())
    this.#restarts = history
    const { delayMs } = verdict
    log.error({ ending, nextTryMs: delayMs, lastLines }, `${name} exited and is restarted`)
    this.#restart = setTimeout(() => this.#spawn(), delayMs)
  }

  async #stop(): Promise<void> {
    this.#stopping = true
    clearTimeout(this.#restart)
    const child = this.#process
    if (child === undefined) return
    const exited = new Promise<string>(resolve => onceEnded(child, resolve))
    if (child.pid !== undefined) child.kill('SIGTERM')
    const deadline = setTimeout(() => killGroup(child), this.options.stopTimeoutMs())
    await exited
    clearTimeout(deadline)
  }
}

const OWN_FAULTS = new Set<string | undefined>(['EMFILE', 'ENFILE', 'ENOMEM'])

/** What a failed probe says: whether the fault is this process's own or the server's. */
export function probeFailure({ code }: NodeJS.ErrnoException): ProbeResult {
  return OWN_FAULTS.has(code) ? 'unasked' : 'silent'
}

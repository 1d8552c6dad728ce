import type { ChildProcess } from 'node:child_process'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Logger } from '../../process/log.js'
import type { Service } from '../../process/service.js'
import { fixedLimits } from '../plan/desired.js'
import { judgeLoss, noRestarts } from '../plan/restart-policy.js'
import { readOutput } from '../processes/lines.js'
import { killGroup, onceEnded, spawned } from '../processes/spawn.js'

/**
 * The result of a probe:
 * - `serves`: the server takes requests
 * - `busy`: the server answers, but takes no requests yet, e.g. because it is loading its data
 * - `silent`: no answer within the probe's own deadline, or nothing listens
 * - `unasked`: this process had no open file or memory left to send the probe
 */
export type ProbeResult = 'serves' | 'busy' | 'silent' | 'unasked'

export interface ManagedServerOptions {
  /** For log messages, e.g. "redis". */
  name: string
  /** Starts the server, as the leader of a process group. May throw. */
  command: () => ChildProcess
  /** Resolves within about a second, and never rejects. */
  probe: () => Promise<ProbeResult>
  /** How long a stop may take, in milliseconds. Called when the stop begins. */
  stopTimeoutMs: () => number
  log: Logger
}

const STARTING_PROBE_MS = 25
const PROBE_MS = 1_000
/** Silent probes in a row after which the server is killed. They are counted, not timed, as this process may sleep. */
const MAX_SILENT = 10

/** A server that the primary starts, probes, restarts with a back-off, kills when it hangs, and stops. */
export class ManagedServer implements Service {
  #restarts = noRestarts
  #process: ChildProcess | undefined
  #servesSince: number | undefined
  #restart: NodeJS.Timeout | undefined
  #stopping = false
  #stopped: Promise<void> | undefined

  constructor(private readonly options: ManagedServerOptions) {}

  /** Does not wait until the server serves, because a large data set takes long to load. */
  start(): Promise<void> {
    this.#spawn()
    return Promise.resolve()
  }

  stop(): Promise<void> {
    this.#stopped ??= this.#stop()
    return this.#stopped
  }

  /** Resolves with true when the server serves, or with false after `timeoutMs`. */
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

  /** Probes the server until it exits: often until it serves, then every second. */
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
      // Before its first answer the server may not even listen yet.
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
    killGroup(child) // if only the guard was killed, the server still runs: two of them would corrupt the data
    this.#process = undefined
    const servedMs = this.#servesSince === undefined ? 0 : performance.now() - this.#servesSince
    this.#servesSince = undefined
    if (this.#stopping) return
    const { name, log } = this.options
    const loss = { place: name, servedMs, generation: 0 }
    const { verdict, history } = judgeLoss(this.#restarts, loss, performance.now(), fixedLimits.provenMs)
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

/** The result of a failed probe, by whether this process or the server is at fault. */
export function probeFailure({ code }: NodeJS.ErrnoException): ProbeResult {
  return OWN_FAULTS.has(code) ? 'unasked' : 'silent'
}

import type { ChildProcess } from 'node:child_process'
import http from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Logger } from '../../process/log.js'
import type { Service } from '../../process/service.js'
import { readOutput } from '../processes/lines.js'
import { judgeLoss, noRestarts } from '../plan/restart-policy.js'
import { killGroup, onceEnded, spawned } from '../processes/spawn.js'
import type { StoreBackend, StoreSettings } from './store-backend.js'

export interface EmbeddedStoreOptions extends StoreSettings {
  backend: StoreBackend
  /** How long it may take to stop, in milliseconds; asked for when it is told to. */
  stopTimeoutMs(): number
  log: Logger
}

const POLL_MS = 50
const PROBE_TIMEOUT_MS = 1_000

/** The object store of one machine, started, watched, restarted and stopped by the primary. */
export class EmbeddedStore implements Service {
  #restarts = noRestarts
  #process: ChildProcess | undefined
  #answeredAt: number | undefined
  #restart: NodeJS.Timeout | undefined
  #stopping = false
  #stopped: Promise<void> | undefined

  constructor(private readonly options: EmbeddedStoreOptions) {}

  /** Starts it and does not wait until it answers: what needs it says 503 until then. */
  start(): Promise<void> {
    this.#spawn()
    return Promise.resolve()
  }

  stop(): Promise<void> {
    this.#stopped ??= this.#stop()
    return this.#stopped
  }

  #spawn(): void {
    const { backend, log } = this.options
    const child = spawned(() => backend.spawn(this.options))
    const lastLines = readOutput(child, line => log.debug({ store: line }))
    onceEnded(child, ending => this.#exited(child, ending, lastLines))
    this.#process = child
    void this.#watchForAnswer(child)
  }

  async #watchForAnswer(child: ChildProcess): Promise<void> {
    this.#answeredAt = undefined
    while (this.#process === child && !(await answers(this.options.port))) await sleep(POLL_MS)
    if (this.#process === child) this.#answeredAt = performance.now()
  }

  #exited(child: ChildProcess, ending: string, lastLines: readonly string[]): void {
    killGroup(child) // a guard may have been killed alone: two servers on the same data would spoil them
    this.#process = undefined
    const servedMs = this.#answeredAt === undefined ? 0 : performance.now() - this.#answeredAt
    this.#answeredAt = undefined
    if (this.#stopping) return
    const loss = { place: 'store', servedMs, generation: 0 }
    const { verdict, history } = judgeLoss(this.#restarts, loss, performance.now())
    this.#restarts = history
    const { delayMs } = verdict
    this.options.log.error({ ending, nextTryMs: delayMs, lastLines }, 'the object store died and is restarted')
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

/** Whether an HTTP server answers on this port, whatever it says: without a signature that is "forbidden". */
function answers(port: number): Promise<boolean> {
  return new Promise(resolve => {
    const request = http.get({ host: '127.0.0.1', port, agent: false, timeout: PROBE_TIMEOUT_MS }, response => {
      response.resume()
      resolve((response.statusCode ?? 500) < 500)
    })
    request.once('timeout', () => request.destroy())
    request.once('error', () => resolve(false))
  })
}

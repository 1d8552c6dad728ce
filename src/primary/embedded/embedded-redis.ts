import { spawnSync, type ChildProcess } from 'node:child_process'
import fs from 'node:fs'
import net from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Logger } from '../../process/log.js'
import type { Service } from '../../process/service.js'
import { spawnGuarded } from '../host/lifeline.js'
import { readOutput } from '../processes/lines.js'
import { judgeLoss, noRestarts } from '../plan/restart-policy.js'
import { killGroup, onceEnded, spawned } from '../processes/spawn.js'

/** There is no redis-server on this machine. */
export class RedisMissingError extends Error {
  constructor() {
    super('redis-server was not found: type "apt-get install redis-server" (or "dnf install redis"), or set REDIS_URL')
    this.name = 'RedisMissingError'
  }
}

export interface EmbeddedRedisOptions {
  /** Its data: an append-only file. */
  directory: string
  /** The unix socket it listens on; it has no port. */
  socketPath: string
  /** Path of the named pipe whose end tells it to leave. */
  lifeline: string
  /** How long it may take to stop, in milliseconds; asked for when it is told to. */
  stopTimeoutMs(): number
  log: Logger
}

const POLL_MS = 10
const PING_MS = 1_000
/** So many pings in a row without an answer, and it hangs. Counted, not timed: this process may have slept itself. */
const MAX_SILENT = 10

/** A private redis-server, started, watched, restarted and stopped by the primary. */
export class EmbeddedRedis implements Service {
  #restarts = noRestarts
  #guard: ChildProcess | undefined
  #answeredAt: number | undefined
  #restart: NodeJS.Timeout | undefined
  #stopping = false
  #stopped: Promise<void> | undefined

  constructor(private readonly options: EmbeddedRedisOptions) {}

  /** Starts it and does not wait until it answers: a large append-only file takes its time to load. */
  start(): Promise<void> {
    if (spawnSync('redis-server', ['--version'], { stdio: 'ignore' }).error !== undefined) throw new RedisMissingError()
    fs.mkdirSync(this.options.directory, { recursive: true, mode: 0o700 })
    this.#spawn()
    return Promise.resolve()
  }

  stop(): Promise<void> {
    this.#stopped ??= this.#stop()
    return this.#stopped
  }

  /** Over when it answers; false when that takes longer than `timeoutMs`. */
  async answering(timeoutMs: number): Promise<boolean> {
    const deadline = performance.now() + timeoutMs
    while (this.#answeredAt === undefined && performance.now() < deadline) await sleep(POLL_MS)
    return this.#answeredAt !== undefined
  }

  #spawn(): void {
    const { directory, socketPath, lifeline, log } = this.options
    // One fsync a write: what was acknowledged is on the disk, whatever is killed afterwards.
    const persistence = ['--appendonly', 'yes', '--appendfsync', 'always', '--save', '']
    const listen = ['--port', '0', '--unixsocket', socketPath, '--unixsocketperm', '700']
    const rest = ['--dir', directory, '--daemonize', 'no', '--loglevel', 'notice']
    const command = ['redis-server', ...listen, ...persistence, ...rest]
    // A session of its own: a signal to the primary's group must not take the data store away before its users.
    const guard = spawned(() => spawnGuarded(lifeline, command))
    const lastLines = readOutput(guard, line => log.debug({ redis: line }))
    onceEnded(guard, ending => this.#exited(guard, ending, lastLines))
    this.#guard = guard
    void this.#watch(guard)
  }

  /** Until it ends: asks often until it takes commands, and then every second whether it still does. */
  async #watch(guard: ChildProcess): Promise<void> {
    this.#answeredAt = undefined
    let heard = false
    let silent = 0
    while (this.#guard === guard && !this.#stopping && silent < MAX_SILENT) {
      const asked = performance.now()
      const answer = await ping(this.options.socketPath)
      if (this.#guard !== guard) return
      if (answer === 'pong') this.#answeredAt ??= performance.now()
      heard ||= answer === 'pong' || answer === 'other'
      // Before its first word it may not even listen yet.
      if (answer !== 'unasked') silent = answer === 'silence' && heard ? silent + 1 : 0
      const everyMs = this.#answeredAt === undefined ? POLL_MS : PING_MS
      await sleep(Math.max(everyMs - (performance.now() - asked), 1))
    }
    if (this.#guard !== guard || this.#stopping) return
    this.options.log.error({ unansweredPings: silent }, 'redis hangs and is killed')
    killGroup(guard)
  }

  #exited(guard: ChildProcess, ending: string, lastLines: readonly string[]): void {
    killGroup(guard) // the guard may have been killed alone: two servers on one append-only file would spoil it
    this.#guard = undefined
    const servedMs = this.#answeredAt === undefined ? 0 : performance.now() - this.#answeredAt
    this.#answeredAt = undefined
    if (this.#stopping) return
    const loss = { place: 'redis', servedMs, generation: 0 }
    const { verdict, history } = judgeLoss(this.#restarts, loss, performance.now())
    this.#restarts = history
    const { delayMs } = verdict
    this.options.log.error({ ending, nextTryMs: delayMs, lastLines }, 'redis died and is restarted')
    this.#restart = setTimeout(() => this.#spawn(), delayMs)
  }

  async #stop(): Promise<void> {
    this.#stopping = true
    clearTimeout(this.#restart)
    const guard = this.#guard
    if (guard === undefined) return
    const exited = new Promise<string>(resolve => onceEnded(guard, resolve))
    if (guard.pid !== undefined) guard.kill('SIGTERM') // the guard passes it on; redis-server writes out what it has
    const deadline = setTimeout(() => killGroup(guard), this.options.stopTimeoutMs())
    await exited
    clearTimeout(deadline)
  }
}

/**
 * - `pong`: it takes commands
 * - `other`: it says why it takes none, e.g. that it loads its data
 * - `silence`: nothing within a second, or nobody to say it
 * - `unasked`: this process has no open file to spare for the question
 */
type Answer = 'pong' | 'other' | 'silence' | 'unasked'

function ping(socketPath: string): Promise<Answer> {
  return new Promise(resolve => {
    const socket = net.connect(socketPath, () => socket.write('PING\r\n'))
    const done = (answer: Answer): void => {
      clearTimeout(late)
      socket.destroy()
      resolve(answer)
    }
    const late = setTimeout(() => done('silence'), PING_MS)
    socket.once('data', answer => done(answer.toString().startsWith('+PONG') ? 'pong' : 'other'))
    socket.once('error', ({ code }: NodeJS.ErrnoException) => done(OWN_FAULTS.has(code) ? 'unasked' : 'silence'))
    socket.once('close', () => done('silence'))
  })
}

const OWN_FAULTS = new Set<string | undefined>(['EMFILE', 'ENFILE', 'ENOMEM'])

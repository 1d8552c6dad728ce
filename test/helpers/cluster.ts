import { spawn, type ChildProcessByStdio } from 'node:child_process'
import { EventEmitter, once } from 'node:events'
import { statSync } from 'node:fs'
import { dirname, isAbsolute } from 'node:path'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { ControlClient } from '#src/control/client.js'
import { ControlError, type Reloaded, type Scale, type Scaled } from '#src/control/protocol.js'
import { bareNode } from './bare-node.js'
import { ask } from './client.js'
import { until, within } from './deadline.js'
import { startGuard } from './guards.js'
import { temporaryFolder, type Harness } from './harness.js'
import { isAlive, kill, processesOf, type ProcessInfo } from './processes.js'

/** The compiled program, the same that `npm start` runs. */
export const program = fileURLToPath(new URL('../../../dist/main.js', import.meta.url))

export type Role = 'primary' | 'balancer' | 'worker' | 'redis' | 'store'

/** How the primary ended. */
export interface Ending {
  code: number | null
  signal: NodeJS.Signals | null
}

const TITLES: Record<Role, RegExp> = {
  primary: /^outpost primary$/,
  balancer: /^outpost balancer \d+$/,
  worker: /^outpost worker \d+$/,
  redis: /^redis-server /,
  store: /^outpost store$/,
}

const DEFAULT_WORKERS = '2'

/** Long enough for a machine that runs three clusters and other work. */
const START_MS = 30_000
const STOP_MS = 45_000
/** The time after the end of the primary by which no process may be left. The program promises 5 s. */
const GONE_MS = 10_000

/** The error of a command that has to fail. */
export async function failureOf(command: Promise<unknown>): Promise<ControlError> {
  const error = await command.then(
    () => new Error('the command did not fail'),
    (error: unknown) => error,
  )
  if (error instanceof ControlError) return error
  throw error
}

/**
 * The folder of an app that is named by its whole path. The program copies the folder in which it is started, and that
 * of the tests is the clone, with thousands of files.
 */
function folderAround(app = ''): string | undefined {
  if (!isAbsolute(app)) return undefined
  return statSync(app, { throwIfNoEntry: false })?.isFile() === true ? dirname(app) : undefined
}

/**
 * A real Outpost: the compiled program with real workers and a real Redis, on a port and in a folder of its own.
 * Nothing of it is left when the test is over.
 */
export class Cluster {
  readonly lines: string[] = []
  readonly exited: Promise<Ending>
  ended: Ending | undefined
  readonly #process: ChildProcessByStdio<null, Readable, Readable>
  readonly #printed = new EventEmitter<{ line: [] }>()
  readonly #workers: number
  #port = 0

  private constructor(
    readonly dataDir: string,
    env: Record<string, string>,
    openFiles: number | undefined,
    cwd: string | undefined,
  ) {
    this.#workers = Number(env['WORKERS'])
    // A session of its own: a test may signal it as a group, as a terminal or a service manager does.
    const limit = openFiles === undefined ? '' : `ulimit -n ${openFiles} && `
    const [file, words] = bareNode
    const command = ['-c', `${limit}exec "$@"`, 'sh', file, ...words, program]
    this.#process = spawn('sh', command, { env, cwd, detached: true, stdio: ['ignore', 'pipe', 'pipe'] })
    const guard = startGuard('primary-guard', String(this.#process.pid))
    this.#process.once('exit', () => guard.kill('SIGKILL'))
    this.#printed.setMaxListeners(0)
    for (const stream of [this.#process.stdout, this.#process.stderr]) {
      createInterface({ input: stream }).on('line', line => {
        this.lines.push(line)
        this.#printed.emit('line')
      })
    }
    this.exited = new Promise(resolve => {
      this.#process.once('close', (code, signal) => {
        this.ended = { code, signal }
        this.#printed.emit('line')
        resolve(this.ended)
      })
    })
  }

  /**
   * Starts the program and waits for nothing.
   * @param openFiles how many each of its processes may have
   * @param cwd where the command is typed; beside the app by default
   */
  static spawn(
    t: Harness,
    env: Record<string, string> = {},
    openFiles?: number,
    cwd = folderAround(env['APP']),
  ): Cluster {
    const dataDir = env['DATA_DIR'] ?? temporaryFolder(t)
    const { PATH = '', HOME = '', TMPDIR } = process.env
    const basics = {
      PATH,
      HOME,
      ...(TMPDIR === undefined ? {} : { TMPDIR }),
      XDG_CACHE_HOME: dataDir,
      XDG_STATE_HOME: dataDir,
    }
    const defaults = { HOST: '127.0.0.1', PORT: '0', WORKERS: DEFAULT_WORKERS, EXPOSE_WORKER: '1', DATA_DIR: dataDir }
    const cluster = new Cluster(dataDir, { ...basics, ...defaults, ...env }, openFiles, cwd)
    t.teardown(() => cluster.#endAll())
    return cluster
  }

  /** Starts the program and waits until all of it serves. */
  static async start(t: Harness, env: Record<string, string> = {}, openFiles?: number, cwd?: string): Promise<Cluster> {
    const cluster = Cluster.spawn(t, env, openFiles, cwd)
    await cluster.serving()
    await cluster.has('worker', cluster.#workers)
    if (env['APP'] === undefined) await cluster.workersTakePart(cluster.#workers)
    return cluster
  }

  /** Waits for the summary, which comes as soon as the first request can be served. */
  async serving(): Promise<void> {
    await this.printed(/^Outpost is ready/, START_MS)
    const url = await this.printed(/^ {2}public +\S/)
    this.#port = Number(/:(\d+)$/.exec(url)?.[1])
  }

  /** Waits until `count` workers of the built-in app answer, none of which is one of `not`, and tells their names. */
  async workersTakePart(count: number, not: readonly string[] = []): Promise<string[]> {
    let names: string[] = []
    const all = async (): Promise<boolean> => {
      names = await this.#workersThatSay200('/health', count)
      return names.length === count && !names.some(name => not.includes(name))
    }
    await until(all, `answers of ${count} workers`, START_MS)
    return names
  }

  /** Waits until every worker of the built-in app has what it needs: each finds Redis and the storage for itself. */
  async ready(): Promise<void> {
    const all = async (): Promise<boolean> =>
      (await this.#workersThatSay200('/health/ready', this.#workers)).length === this.#workers
    await until(all, `all ${this.#workers} workers to be ready`, START_MS)
  }

  async #workersThatSay200(path: string, count: number): Promise<string[]> {
    const answers = await Promise.all(Array.from({ length: count }, () => ask(this.url, path)))
    const good = answers.filter(({ status }) => status === 200)
    return [...new Set(good.map(({ headers }) => String(headers['x-outpost-worker'])))]
  }

  /** Closes the output, as `| head` does. */
  stopReading(): void {
    this.#process.stdout.destroy()
    this.#process.stderr.destroy()
  }

  /** The first line that has been or will be printed and matches. Fails when the program ends without it. */
  async printed(pattern: RegExp, ms = 20_000): Promise<string> {
    const found = async (): Promise<string> => {
      for (;;) {
        const line = this.lines.find(line => pattern.test(line))
        if (line !== undefined) return line
        if (this.ended !== undefined) throw new Error(`it ended without ${String(pattern)}:\n${this.lines.join('\n')}`)
        await once(this.#printed, 'line')
      }
    }
    return within(found(), `a line like ${String(pattern)}, in:\n${this.lines.join('\n')}`, ms)
  }

  get port(): number {
    return this.#port
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`
  }

  get pid(): number {
    return this.#process.pid!
  }

  /** All of its processes that are alive, the primary included. */
  processes(): ProcessInfo[] {
    return processesOf(this.dataDir).filter(({ pid }) => isAlive(pid))
  }

  pids(role: Role): number[] {
    return this.processes()
      .filter(({ title }) => TITLES[role].test(title))
      .map(({ pid }) => pid)
      .sort((a, b) => a - b)
  }

  /** The process ids that must not change when a client misbehaves. */
  supervision(): Record<Role, number[]> {
    return {
      primary: this.pids('primary'),
      balancer: this.pids('balancer'),
      worker: this.pids('worker'),
      redis: this.pids('redis'),
      store: this.pids('store'),
    }
  }

  /** Kills one process of a role; the one with the lowest pid. */
  kill(role: Role, signal: NodeJS.Signals = 'SIGKILL'): number {
    const pid = this.pids(role)[0]
    if (pid === undefined) throw new Error(`there is no ${role}`)
    process.kill(pid, signal)
    return pid
  }

  signal(signal: NodeJS.Signals): void {
    this.#process.kill(signal)
  }

  /** Signals the primary and its children, as Ctrl-C in a terminal does. */
  signalGroup(signal: NodeJS.Signals): void {
    process.kill(-this.pid, signal)
  }

  /** Waits until there are `count` of a role, none of which is `not`. */
  async has(role: Role, count: number, not: readonly number[] = []): Promise<number[]> {
    const holds = (): boolean => {
      const pids = this.pids(role)
      return pids.length === count && !pids.some(pid => not.includes(pid))
    }
    await until(holds, `${count} of ${role}, none of ${not.join(', ')}`, START_MS)
    return this.pids(role)
  }

  /** Replaces every worker, and waits until that is over. */
  async reload(): Promise<Reloaded> {
    return (await ControlClient.of(this.dataDir)).reload()
  }

  /** Changes how many processes are wanted, and does not wait for them. */
  async scale(wanted: Scale): Promise<Scaled> {
    return (await ControlClient.of(this.dataDir)).scale(wanted)
  }

  /** Stops the program, as a service manager does, and waits until no process is left. */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<Ending> {
    this.signal(signal)
    const ending = await within(this.exited, `the end after ${signal}; ${this.#state()}`, STOP_MS)
    await this.gone()
    return ending
  }

  /** Waits until none of its processes is left. */
  async gone(ms = GONE_MS): Promise<void> {
    await until(() => this.processes().length === 0, `the end of all its processes`, ms).catch((error: unknown) => {
      throw new Error(`${(error as Error).message}: ${this.#state()}`)
    })
  }

  #state(): string {
    const running = this.processes().map(({ pid, title }) => `${pid} ${title}`)
    return `running: ${running.join(', ')}; last lines:\n${this.lines.slice(-15).join('\n')}`
  }

  async #endAll(): Promise<void> {
    while (this.processes().length > 0 || this.ended === undefined) {
      for (const { pid } of this.processes()) {
        kill(pid, 'SIGCONT')
        kill(pid, 'SIGKILL')
      }
      await new Promise(resolve => setTimeout(resolve, 10))
    }
  }
}

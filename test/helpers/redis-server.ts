import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import net from 'node:net'
import { pino } from 'pino'
import type { Redis } from 'ioredis'
import { freePort } from '#scripts/lib/free-port.js'
import { createRedis } from '#src/services/redis.js'
import { until } from './deadline.js'
import { temporaryFolder, type Harness } from './harness.js'

/** A redis-server on a TCP port, such as several machines would share. */
export class RedisServer {
  #process: ChildProcess | undefined

  private constructor(
    readonly port: number,
    private readonly folder: string,
  ) {}

  /** @param args more of its command line, such as `--maxmemory` */
  static async start(t: Harness, ...args: string[]): Promise<RedisServer> {
    const server = await RedisServer.notStarted(t)
    await server.start(...args)
    return server
  }

  /** Only the port is chosen. Nothing listens on it yet. */
  static async notStarted(t: Harness): Promise<RedisServer> {
    const server = new RedisServer(await freePort(), temporaryFolder(t, 'outpost-redis-'))
    t.teardown(() => server.kill())
    return server
  }

  get url(): string {
    return `redis://127.0.0.1:${this.port}`
  }

  /** A client like a worker's, closed after the test. */
  async connect(t: Harness): Promise<Redis> {
    const redis = createRedis({ url: this.url }, pino({ level: 'silent' }))
    t.teardown(() => redis.disconnect())
    await once(redis, 'ready')
    return redis
  }

  /** Keeps its data over a restart. */
  async start(...args: string[]): Promise<void> {
    const where = ['--bind', '127.0.0.1', '--port', String(this.port), '--dir', this.folder]
    const durable = ['--appendonly', 'yes', '--appendfsync', 'always', '--save', '']
    this.#process = spawn('redis-server', [...where, ...durable, ...args], { stdio: 'ignore' })
    await until(async () => (await this.send('PING')).startsWith('+PONG'), 'redis to answer', 20_000)
  }

  /** Sends one command over a plain socket. Returns an empty string if nothing answers. */
  send(...command: string[]): Promise<string> {
    return new Promise(resolve => {
      const socket = net.connect(this.port, '127.0.0.1', () => socket.write(`${command.join(' ')}\r\n`))
      socket.once('data', reply => {
        resolve(reply.toString())
        socket.destroy()
      })
      socket.once('error', () => resolve(''))
      socket.once('close', () => resolve(''))
    })
  }

  /** Suspends the server: it answers nothing, and its connections stay open. */
  freeze(): void {
    this.#process?.kill('SIGSTOP')
  }

  thaw(): void {
    this.#process?.kill('SIGCONT')
  }

  async kill(): Promise<void> {
    const running = this.#process
    this.#process = undefined
    if (running === undefined || running.exitCode !== null || running.signalCode !== null) return
    const exited = once(running, 'exit')
    running.kill('SIGKILL')
    await exited
  }
}

import { createAdapter } from '@socket.io/redis-adapter'
import type { Redis } from 'ioredis'
import type { Server } from 'socket.io'
import type { Logger } from '../process/log.js'
import { realtimeParser } from './realtime-parser.js'
import { LEFT } from './redis-failover.js'
import { createSubscriber, type RedisAddress } from './redis.js'

/** How often the subscriber checks its connection. */
const PULSE_MS = 2_000
/** How long a question to the other workers (`fetchSockets` and its like) waits for their answers. */
const REQUESTS_TIMEOUT_MS = 5_000

/** Connects the Socket.IO servers of all workers and machines that share a Redis. */
export class RealtimeBus {
  readonly #subscriber: Redis
  readonly #pulse: NodeJS.Timeout
  readonly adapter: Parameters<Server['adapter']>[0]

  readonly #leave = (): void => this.#subscriber.disconnect(true)

  constructor(
    address: RedisAddress,
    private readonly redis: Redis,
    log: Logger,
  ) {
    this.#subscriber = createSubscriber(address, log)
    // A subscriber is refused nothing, so it does not notice that Redis has moved.
    redis.on(LEFT, this.#leave)
    this.#pulse = setInterval(() => {
      if (this.#subscriber.status === 'ready') this.#subscriber.ping().catch(() => undefined)
    }, PULSE_MS)
    // Redis separates databases, but not channels. Two Outposts in two databases of one server must not share messages.
    const key = `outpost:io:${redis.options.db ?? 0}`
    const subscriber = withoutRejections(this.#subscriber)
    const options = { key, requestsTimeout: REQUESTS_TIMEOUT_MS, parser: realtimeParser(log) }
    this.adapter = createAdapter(publisherOver(redis), subscriber, options)
  }

  /** Resolves when Redis has confirmed the subscriptions, so that nothing published from then on is missed. */
  async subscribed(): Promise<void> {
    await this.#subscriber.ping()
  }

  stop(): void {
    clearInterval(this.#pulse)
    this.redis.off(LEFT, this.#leave)
    this.#subscriber.disconnect()
  }
}

/**
 * The adapter ignores the outcome of its commands, and an unhandled rejection would end the process. While Redis is away,
 * a message reaches the clients of this worker only.
 */
function publisherOver(redis: Redis): object {
  const ignore = (): object => publisher
  const publisher = {
    publish: (channel: string, message: Buffer) => redis.publish(channel, message).catch(() => 0),
    // The adapter uses this name, which the client no longer has, to count the other servers.
    send_command: (name: string, args: string[], done: (error: unknown, reply?: unknown) => void) => {
      redis.call(name, ...args).then(reply => done(null, reply), done)
    },
    on: ignore,
    off: ignore,
  }
  return publisher
}

function withoutRejections(subscriber: Redis): Redis {
  for (const name of ['subscribe', 'psubscribe', 'unsubscribe', 'punsubscribe'] as const) {
    const command = subscriber[name].bind(subscriber) as (...channels: string[]) => Promise<unknown>
    Object.assign(subscriber, { [name]: (...channels: string[]) => command(...channels).catch(() => undefined) })
  }
  return subscriber
}

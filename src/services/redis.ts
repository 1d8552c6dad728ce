import { Redis, type RedisOptions } from 'ioredis'
import type { Logger } from '../process/log.js'
import { RedisFailover } from './redis-failover.js'
import { watchSilence } from './redis-silence.js'
import { sendByTurns } from './redis-turns.js'

/** The address of Redis: the unix socket of the embedded one, or a URL. */
export type RedisAddress = { path: string; password?: string | undefined } | { url: string }

/** A connection is cut after this time without a reply while commands wait. */
const SILENCE_MS = 700
const RECONNECT_MS = 100
const CONNECT_TIMEOUT_MS = 2_000
/** How long a first connection may take without a line in the log. */
const START_MS = 1_000
/** The interval of tries while Redis loads its data. The library would guess in whole seconds, up to ten. */
const ASK_LOADING_EVERY_MS = 100

/**
 * A client that fails fast. The library's own defaults queue commands without bound while Redis is away and retry them
 * for a minute; here a command without a connection fails at once, and one without an answer within 700 ms.
 */
export function createRedis(address: RedisAddress, log: Logger): Redis {
  const common = {
    enableOfflineQueue: false,
    // A command that was carried out but not acknowledged must not be sent again after a reconnect.
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    connectTimeout: CONNECT_TIMEOUT_MS,
    retryStrategy: () => RECONNECT_MS,
    reconnectOnError: error => {
      if (MAY_HAVE_MOVED.test(refusal(error))) failover.refused(error.message)
      return false
    },
  } satisfies RedisOptions
  const failover = new RedisFailover(log)
  const redis = connect(address, common)
  failover.watch(redis)
  logTransitions(redis, log)
  return redis
}

/**
 * A client for subscriptions, which it keeps through any number of reconnects. Its few commands wait for a connection.
 * It never queues a publication. Because it only listens, it notices a dead connection only when its owner calls
 * `ping`.
 */
export function createSubscriber(address: RedisAddress, log: Logger): Redis {
  const subscriber = connect(address, {
    maxRetriesPerRequest: null,
    connectTimeout: CONNECT_TIMEOUT_MS,
    retryStrategy: () => RECONNECT_MS,
  })
  logTransitions(subscriber, log)
  return subscriber
}

function connect(address: RedisAddress, options: Omit<RedisOptions, 'replyMapping'>): Redis {
  const all = { ...options, maxLoadingRetryTime: ASK_LOADING_EVERY_MS }
  const redis = 'path' in address ? new Redis(address.path, withPassword(all, address)) : new Redis(address.url, all)
  watchSilence(redis, SILENCE_MS)
  sendByTurns(redis)
  leaveOtherDatabase(redis)
  return redis
}

function withPassword<Options extends object>(
  options: Options,
  { password }: { password?: string | undefined },
): Options {
  return password === undefined ? options : { ...options, password }
}

/** If the database cannot be selected, the library would continue in database 0, which is not that of this instance. */
function leaveOtherDatabase(redis: Redis): void {
  redis.on('error', (error: Error & { command?: { name: string } }) => {
    // The commands after SELECT in the same handshake can no longer be sent, so the client never becomes ready.
    if (error.command?.name === 'select') redis.disconnect(true)
  })
}

/**
 * Resolves when commands work, when Redis is known to be away, or after `patienceMs`. Without this wait a new worker
 * would refuse requests that it could serve a moment later.
 */
export function firstConnection(redis: Redis, patienceMs: number): Promise<void> {
  return whenHeard(redis, patienceMs, ['ready', 'error', 'close'])
}

/** Resolves when commands work, or after `patienceMs`. */
export function untilReady(redis: Redis, patienceMs: number): Promise<void> {
  return whenHeard(redis, patienceMs, ['ready'])
}

function whenHeard(
  redis: Redis,
  patienceMs: number,
  events: ReadonlyArray<'ready' | 'error' | 'close'>,
): Promise<void> {
  if (redis.status === 'ready') return Promise.resolve()
  return new Promise(resolve => {
    const settled = (): void => {
      clearTimeout(patience)
      for (const event of events) redis.off(event, settled)
      resolve()
    }
    const patience = setTimeout(settled, patienceMs)
    for (const event of events) redis.on(event, settled)
  })
}

/** An embedded Redis is started when it is first used: it may have no socket yet, or load its data. */
function isStarting({ message }: Error): boolean {
  return /ENOENT|ECONNREFUSED|LOADING/.test(message)
}

/** Logs one line when the connection is lost and one when it is back, however many tries there are in between. */
function logTransitions(redis: Redis, log: Logger): void {
  let away = false
  let isNew = true
  const began = performance.now()
  redis.on('error', (error: Error) => {
    if (isNew && isStarting(error) && performance.now() - began < START_MS) return
    if (!away) log.warn({ error: error.message }, 'redis is away')
    away = true
  })
  redis.on('ready', () => {
    if (away) log.info('redis is back')
    away = false
    isNew = false
  })
}

/** Replies that mean "not now": Redis loads its data, is out of memory, may not write, or refuses this user. */
const NOT_NOW =
  /^(LOADING|OOM|READONLY|MISCONF|NOREPLICAS|MASTERDOWN|CLUSTERDOWN|TRYAGAIN|BUSY|EXECABORT|NOAUTH|NOPERM|WRONGPASS)\b/

const CONNECTION_TROUBLE =
  /isn't writeable|Connection is closed|Socket timeout|Command timed out|ECONNREFUSED|ECONNRESET|ENOENT|EPIPE|ETIMEDOUT/

const NO_WRITES = /^(OOM|READONLY|MISCONF|NOREPLICAS)\b/

/** Replies of a server that is now a replica, or a replica without its primary: another server may have taken over. */
const MAY_HAVE_MOVED = /^(READONLY|MASTERDOWN|LOADING)\b/

/** The prefix with which a Redis older than 7 reports an error inside a script. */
const IN_A_SCRIPT = /^ERR Error running script .*?: -/s

/** Whether an error says that Redis cannot serve now. A wrong command is another kind of error. */
export function isRedisUnavailable(error: unknown): boolean {
  if (!(error instanceof Error)) return false
  if (error.name === 'ReplyError') return NOT_NOW.test(refusal(error))
  return error.name === 'MaxRetriesPerRequestError' || CONNECTION_TROUBLE.test(error.message)
}

/** Whether Redis can be read but takes no writes: its memory or its disk is full, or it is a replica, or lacks one. */
export function isRedisReadOnly(error: unknown): boolean {
  return error instanceof Error && error.name === 'ReplyError' && NO_WRITES.test(refusal(error))
}

function refusal({ message }: Error): string {
  return message.replace(IN_A_SCRIPT, '')
}

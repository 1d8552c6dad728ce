import { randomBytes } from 'node:crypto'
import { fileURLToPath } from 'node:url'
import { isHostOfApp, type Config, type ConfigFault } from '../config/config.js'
import { createLog, type Logger } from '../process/log.js'
import { ServiceStack, type Service } from '../process/service.js'
import type { Status } from '../control/protocol.js'
import { ControlServer } from '../control/server.js'
import type { StorageAddress } from '../ipc/messages.js'
import { embeddedRedis } from './embedded/embedded-redis.js'
import { embeddedStore } from './embedded/embedded-store.js'
import type { ManagedServer } from './embedded/managed-server.js'
import { InstanceFolder } from './host/instance-folder.js'
import { lockInstance } from './host/instance-lock.js'
import { endLeftovers, Lifeline } from './host/lifeline.js'
import { loopbackPort } from './embedded/loopback-port.js'
import { guardAgainstOrphans } from './host/orphan-guard.js'
import { PublicPort } from './host/public-port.js'
import { chooseBackend } from './embedded/store-backend.js'
import { ShutdownClock } from './host/shutdown-clock.js'
import { summaryOf } from './summary.js'
import { Supervisor } from './supervisor.js'

const program = fileURLToPath(new URL('../main.js', import.meta.url))

/** How long the start summary waits for an embedded Redis that is loading its data. */
const REDIS_PATIENCE_MS = 1_500
const REDIS_STOP_MS = 5_000
/** Longer than the embedded store waits for the requests that it has begun. */
const STORE_STOP_MS = 8_000
const STORE_USER = 'outpost'
const DEFAULT_HOST = '0.0.0.0'

/** One running Outpost: all that it has started. */
export interface Instance {
  services: Service
  /** Rejects when another program has taken the public port in the meantime. */
  serving: Promise<void>
  log: Logger
  reload(): void
  release(): void
}

/** Starts everything, in order. @throws {Error} what a person can mend: the environment, or the machine */
export async function startInstance(config: Config, leftToApp: readonly ConfigFault[]): Promise<Instance> {
  const folder = new InstanceFolder(config.dataDir)
  const unlock = lockInstance(folder.lockFile, config.dataDir)
  const log = createLog('primary', config.logLevel)
  for (const { name, value, accepted } of leftToApp) {
    log.warn(`${name}=${value} is left to the app: accepted is ${accepted}; OUTPOST_${name} is never the app's`)
  }
  const leftovers = await endLeftovers(folder.lifeline)
  if (leftovers > 0) log.warn({ processes: leftovers }, 'leftover processes of an earlier instance were ended')
  folder.clearSockets()

  const publicPort = await bindPublicPort(config, log)
  const lifeline = Lifeline.open(folder.lifeline)
  guardAgainstOrphans(lifeline)
  const shutdown = new ShutdownClock(config.shutdownTimeoutMs)
  const house = { config, folder, lifeline, shutdown, log }
  const redis = config.redisUrl === undefined ? privateRedis(house) : undefined
  const storage = await objectStorage(house)
  const supervisor = new Supervisor({
    config,
    fork: { program, lifelineFd: lifeline.fd },
    publicPort,
    socketOf: id => folder.workerSocket(id),
    redis: config.redisUrl === undefined ? { path: folder.redisSocket } : { url: config.redisUrl },
    storage: storage.address,
    sessionSecret: config.sessionSecret ?? folder.secret('session-secret'),
    identityKey: randomBytes(32).toString('base64url'),
    shutdown,
    log,
    print: (child, line) => process.stdout.write(line.startsWith('{') ? `${line}\n` : `[${child.name}] ${line}\n`),
  })
  const control = new ControlServer(folder.controlSocket, {
    status: () => statusOf(supervisor, publicPort),
    reload: onProgress => supervisor.reload(onProgress).then(replaced => ({ replaced })),
    stop: () => process.kill(process.pid, 'SIGTERM'),
  })
  const services = new ServiceStack(
    [redis, storage.service, supervisor, control].filter(service => service !== undefined),
  )
  await services.start()
  void Promise.all([supervisor.serving, redis?.serving(REDIS_PATIENCE_MS)]).then(
    () => {
      const facts = { config, port: publicPort.port, redisEmbedded: redis !== undefined, storage: storage.name }
      process.stdout.write(summaryOf({ ...facts, startedInMs: process.uptime() * 1_000 }))
    },
    () => undefined,
  )
  const release = (): void => {
    lifeline.close()
    folder.leave()
    unlock()
  }
  const { serving } = supervisor
  return { services, serving, log, release, reload: () => void supervisor.reload().catch(() => undefined) }
}

/** A HOST that is the app's name for itself, e.g. shop.example.org, is no address to bind. */
async function bindPublicPort(config: Config, log: Logger): Promise<PublicPort> {
  const { host, port } = config
  try {
    return await PublicPort.bind(host, port)
  } catch (error) {
    const bound = isHostOfApp(config) ? await PublicPort.bind(DEFAULT_HOST, port).catch(() => undefined) : undefined
    if (bound === undefined) throw error
    log.warn(`HOST=${host} is left to the app: ${(error as Error).message}; OUTPOST_HOST is never the app's`)
    return bound
  }
}

function statusOf(supervisor: Supervisor, { host, port }: PublicPort): Status {
  const processes = supervisor.children().map(({ role, id, spec, pid, state, servedMs, vitals }) => {
    const { release, generation, place } = spec
    const known = pid === undefined ? {} : { pid }
    return { role, id, release, generation, place, ...known, state, servedMs: Math.round(servedMs), ...vitals }
  })
  return { pid: process.pid, host, port, processes }
}

/** The parts that every service of an instance is built from. */
interface House {
  config: Config
  folder: InstanceFolder
  lifeline: Lifeline
  shutdown: ShutdownClock
  log: Logger
}

function privateRedis({ folder, lifeline, shutdown, log }: House): ManagedServer {
  const { redisDir: directory, redisSocket: socketPath } = folder
  const stopTimeoutMs = (): number => shutdown.patience(REDIS_STOP_MS)
  return embeddedRedis({ directory, socketPath, lifeline: lifeline.path, stopTimeoutMs, log })
}

interface ObjectStorage {
  /** Shown in the start summary. */
  name: string
  address: StorageAddress
  /** Undefined for a server that Outpost does not run. */
  service: Service | undefined
}

async function objectStorage({ config, folder, lifeline, shutdown, log }: House): Promise<ObjectStorage> {
  const { s3, cacheDir, logLevel } = config
  const { endpoint, accessKey = '', secretKey = '', bucket, region } = s3
  if (endpoint !== undefined) {
    return { name: endpoint, address: { endpoint, accessKey, secretKey, bucket, region }, service: undefined }
  }
  const { objectsDir, minioDir } = folder
  const backend = chooseBackend({ program, objectsDir, minioDir, cacheDir })
  const port = await loopbackPort(folder.storePortFile)
  const keys = { accessKey: STORE_USER, secretKey: folder.secret('store-secret') }
  const options = { backend, port, region, ...keys, lifeline: lifeline.path, logLevel, log }
  return {
    name: backend.name,
    address: { endpoint: `http://127.0.0.1:${port}`, bucket, region, ...keys },
    service: embeddedStore({ ...options, stopTimeoutMs: () => shutdown.patience(STORE_STOP_MS) }),
  }
}

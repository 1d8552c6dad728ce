import { randomBytes } from 'node:crypto'
import { fileURLToPath } from 'node:url'
import { isHostOfApp, readConfig, type Config, type ConfigFault } from '../config/config.js'
import { exit, exitCodes, type ExitCode } from '../process/exit.js'
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

/** How long the summary waits for an embedded Redis that loads its data. */
const REDIS_PATIENCE_MS = 1_500
const REDIS_STOP_MS = 5_000
/** Longer than the embedded store waits for the requests that it has begun. */
const STORE_STOP_MS = 8_000
const STORE_USER = 'outpost'
const defaultHost = '0.0.0.0'

/** Starts an instance and keeps it until a signal ends it. Ends the process. */
export async function runPrimary(): Promise<never> {
  process.title = 'outpost primary'
  // Whoever reads what is printed may leave (`| head`): that is not what everything else depends on.
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => undefined)
  const signals = new SignalRecord()
  let instance: Instance
  try {
    const leftToApp: ConfigFault[] = []
    const config = readConfig(undefined, fault => leftToApp.push(fault))
    instance = await startInstance(config, leftToApp)
  } catch (error) {
    // Whatever keeps it from starting is the environment or the machine: the person at the keyboard can mend it.
    process.stderr.write(`outpost: ${(error as Error).message}\n`)
    exit(exitCodes.config)
  }
  exit(await Promise.race([untilStopped(instance, signals), portLost(instance)]))
}

interface Instance {
  services: Service
  /** Rejects when the public port cannot be had after all. */
  serving: Promise<void>
  log: Logger
  reload(): void
  release(): void
}

async function startInstance(config: Config, leftToApp: readonly ConfigFault[]): Promise<Instance> {
  const folder = new InstanceFolder(config.dataDir)
  const unlock = lockInstance(folder.lockFile, config.dataDir)
  const log = createLog('primary', config.logLevel)
  for (const { name, value, accepted } of leftToApp) {
    log.warn(`${name}=${value} is left to the app: accepted is ${accepted}; OUTPOST_${name} is never the app's`)
  }
  const leftovers = await endLeftovers(folder.lifeline)
  if (leftovers > 0) log.warn({ processes: leftovers }, 'leftover processes of an earlier instance ended')
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
    const bound = isHostOfApp(config) ? await PublicPort.bind(defaultHost, port).catch(() => undefined) : undefined
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

/** What every service of an instance is built from. */
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
  /** For people. */
  name: string
  address: StorageAddress
  /** Undefined when somebody else runs it. */
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

async function untilStopped(instance: Instance, signals: SignalRecord): Promise<ExitCode> {
  let signal = await signals.next()
  while (signal === 'SIGHUP') {
    instance.reload()
    signal = await signals.next()
  }
  instance.log.info({ signal }, 'stopping')
  const again = signals.nextBut('SIGHUP').then(() => exitCodes.failure)
  const stopped = instance.services.stop().then(() => {
    instance.release()
    return exitCodes.ok
  })
  return Promise.race([stopped, again])
}

/** Over only if another program took the port between the bind and the first balancer. */
async function portLost(instance: Instance): Promise<ExitCode> {
  const error = await instance.serving.then(
    () => new Promise<never>(() => undefined),
    (error: unknown) => error as Error,
  )
  process.stderr.write(`outpost: ${error.message}\n`)
  await instance.services.stop()
  instance.release()
  return exitCodes.config
}

/** Signals only leave a note here; whoever acts on them asks for the next. */
class SignalRecord {
  readonly #noted: NodeJS.Signals[] = []
  #waiting: ((signal: NodeJS.Signals) => void) | undefined

  constructor() {
    for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, () => this.#note(signal))
  }

  next(): Promise<NodeJS.Signals> {
    return new Promise(resolve => {
      const noted = this.#noted.shift()
      if (noted === undefined) this.#waiting = resolve
      else resolve(noted)
    })
  }

  async nextBut(ignored: NodeJS.Signals): Promise<NodeJS.Signals> {
    const signal = await this.next()
    return signal === ignored ? this.nextBut(ignored) : signal
  }

  #note(signal: NodeJS.Signals): void {
    const waiting = this.#waiting
    this.#waiting = undefined
    if (waiting === undefined) this.#noted.push(signal)
    else waiting(signal)
  }
}

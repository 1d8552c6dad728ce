import { randomBytes } from 'node:crypto'
import { relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { installEnvironment, startFolder } from '../config/app-environment.js'
import type { Config, ConfigFault } from '../config/config.js'
import { createLog, type Logger } from '../process/log.js'
import { rarely } from '../process/rarely.js'
import { realPath } from '../process/real-path.js'
import { ServiceStack, together, type Service } from '../process/service.js'
import { registerInstance } from '../control/instance-registry.js'
import { portDoor, socketDoor } from '../control/door.js'
import { ControlServer } from '../control/server.js'
import { TokenStore } from '../control/token-store.js'
import { GroupUsage } from './beside/group-usage.js'
import { SideProcesses, type ReleasePlace } from './beside/side-processes.js'
import { CronRunner } from './cron/cron-runner.js'
import { RedisRunLease } from './cron/redis-run-lease.js'
import { ownRunLease } from './cron/run-lease.js'
import { EmbeddedServers } from './embedded/embedded-servers.js'
import { Lifeline } from './host/lifeline.js'
import { openFolder } from './host/opened-folder.js'
import { guardAgainstOrphans } from './host/orphan-guard.js'
import { FolderWatch } from './own-reloads/folder-watch.js'
import { OwnReloads } from './own-reloads/own-reloads.js'
import { ReloadSchedule } from './own-reloads/reload-schedule.js'
import { bindPublicPort, giveUpRoot } from './host/port-binding.js'
import type { PublicPort } from './host/public-port.js'
import { ShutdownClock } from './host/shutdown-clock.js'
import { Deployer } from './releases/deployer.js'
import { STARTED } from './releases/release-switch.js'
import { ReleaseStore } from './releases/release-store.js'
import { StartedApp } from './releases/started-app.js'
import { commandsOf } from './instance-commands.js'
import { placeOfRelease } from './release-place.js'
import { announce } from './summary.js'
import { Supervisor } from './supervisor.js'
import { Handover } from './upgrade/handover.js'
import type { Successors } from './upgrade/successors.js'
import { MaintenanceMode } from './traffic/maintenance-mode.js'
import { releaseOrder } from './traffic/release-order.js'
import { TrafficPause } from './traffic/traffic-pause.js'

const program = fileURLToPath(new URL('../main.js', import.meta.url))

/** How long the start summary waits for an embedded Redis that is loading its data. */
const REDIS_PATIENCE_MS = 1_500

/** How long clients at an inherited port wait for the embedded servers, which may be loading much. */
const SERVERS_PATIENCE_MS = 5_000

/** Attempts to guess a token must not fill the log. */
const REFUSED_EACH_MS = 60_000

/** One running Outpost: all that it has started. */
export interface Instance {
  services: Service
  /** Rejects when another program has taken the public port in the meantime. */
  serving: Promise<void>
  /** Rejects when a worker failed before a request could be answered. */
  served(): Promise<void>
  log: Logger
  reload(): void
  /** @param isFollowed by another program on the same DATA_DIR */
  release(isFollowed?: boolean): void
  handover: Handover
}

export interface InstanceStart {
  config: Config
  /** Values that are left to the app, because this program cannot use them. */
  leftToApp: readonly ConfigFault[]
  successors: Successors
  /** The public port of the program before this one. */
  inherited?: PublicPort
}

/** Starts everything, in order. @throws {Error} a fault that a person can fix: in the environment, or of the machine */
export async function startInstance({ config, leftToApp, successors, inherited }: InstanceStart): Promise<Instance> {
  const begunAt = inherited === undefined ? 0 : process.uptime()
  const boundBefore = inherited ?? (await giveUpRoot(config, createLog('primary', config.logLevel)))
  const { folder, unlock, logFile, print, log } = await openFolder(config, leftToApp)
  const releases = openReleases(folder.releasesDir, log)
  const publicPort = boundBefore ?? (await bindPublicPort(config, log))
  const lifeline = Lifeline.open(folder.lifeline)
  const endGuard = guardAgainstOrphans(lifeline)
  const shutdown = new ShutdownClock(config.shutdownTimeoutMs)
  const embedded = EmbeddedServers.prepare({ config, folder, lifeline: lifeline.path, shutdown, log, program })
  const { redis, storage } = embedded
  const identityKey = randomBytes(32).toString('base64url')
  const previewKey = folder.secret('preview-key')
  const printAs = (name: string, line: string): void =>
    print(line.startsWith('{') ? `${line}\n` : `[${name}] ${line}\n`)
  const placeOf = (id: string): ReleasePlace | undefined =>
    placeOfRelease(id, { config, releases, embedded, publicPort })
  const common = { config, lifeline: lifeline.path, shutdown, log }
  const { beside, cron } = processesBeside({ ...common, historyFile: folder.cronFile, placeOf, print: printAs })
  const supervisor: Supervisor = new Supervisor({
    config,
    fork: { program, lifelineFd: lifeline.fd },
    publicPort,
    socketOf: id => folder.workerSocket(id),
    redis,
    storage,
    appEnvironment: embedded.environment(),
    need: service => embedded.need(service),
    cronJob: () => cron.runningJob,
    whenServersServe: () => embedded.serving(SERVERS_PATIENCE_MS),
    sessionSecret: config.sessionSecret ?? folder.secret('session-secret'),
    identityKey,
    release: releases.live,
    edgeOrder: () => ({
      ...pause.order,
      ...maintenance.order,
      ...releaseOrder(supervisor.changes.releases, previewKey),
    }),
    follower: {
      follow: (release, generation) => {
        beside.follow(release, generation)
        cron.follow(release, generation)
      },
    },
    filesOf: id => ({ folder: releases.filesOf(id), main: releases.get(id)?.main, env: releases.envOf(id) }),
    shutdown,
    log,
    print: (child, line) => printAs(child.name, line),
  })
  const stopsFirst = together(beside, cron)
  const underWay = (): 'DEPLOY_UNDER_WAY' | 'RELOAD_UNDER_WAY' | undefined =>
    deployer.isBusy ? 'DEPLOY_UNDER_WAY' : supervisor.isReloading ? 'RELOAD_UNDER_WAY' : undefined
  const unrecorded = (): string | undefined => releases.doubt
  const ending = { supervisor, stopsFirst, shutdown, successors, publicPort, underWay, unrecorded }
  const handover = new Handover({ ...ending, config, log })
  const pause: TrafficPause = new TrafficPause(supervisor.edge, log)
  const maintenance: MaintenanceMode = MaintenanceMode.open(folder.maintenanceFile, supervisor.edge, log)
  const startedIn = startFolder()
  const { app, dataDir, minFreeBytes } = config
  const started = new StartedApp({ store: releases, app, startedIn, dataDir, minFreeBytes, log })
  const deployer: Deployer = new Deployer({
    store: releases,
    keepStarted: () => started.keep(),
    runner: supervisor.changes,
    previewKey,
    app: config.app,
    startedIn,
    leftOut: pathWithin(startedIn, config.dataDir),
    env: installEnvironment,
    appEnvironment: embedded.environment(),
    lifelineFd: lifeline.fd,
    installTimeoutMs: config.installTimeoutMs,
    keepWarmMs: config.keepWarmS * 1_000,
    minFreeBytes: config.minFreeBytes,
    log,
    print: line => print(`[deploy] ${line}\n`),
  })
  const shown = { supervisor, beside, usage: new GroupUsage(), cron, pause, maintenance, publicPort, config }
  const parts = { ...shown, deployer, handover, log: logFile, tokens: new TokenStore(folder.tokensFile) }
  const controls = controlServers(parts, folder.controlSocket, log)
  const all = [
    embedded,
    together(supervisor, stopsFirst),
    started,
    pause,
    ...reloadsByThemselves(() => supervisor.reload(), config, log),
    deployer,
    ...controls,
  ]
  const services = new ServiceStack(all)
  await services.start()
  const announced = { config, supervisor, embedded, publicPort, begunAt, print, log }
  void Promise.all([supervisor.serving, embedded.redisServing(REDIS_PATIENCE_MS)]).then(
    () => announce(announced),
    () => undefined,
  )
  const unregister = registerInstance(config.stateDir, { dataDir: config.dataDir, pid: process.pid })
  const release = (isFollowed = false): void => {
    // Commands look for the next program there.
    if (!isFollowed) unregister()
    logFile.close()
    lifeline.close()
    endGuard()
    folder.leave()
    unlock()
  }
  const { serving } = supervisor
  return {
    services,
    serving,
    served: () => supervisor.served(),
    log,
    release,
    reload: () => void supervisor.reload().catch(() => undefined),
    handover,
  }
}

function openReleases(folder: string, log: Logger): ReleaseStore {
  const releases = ReleaseStore.open(folder)
  if (releases.damage !== undefined) log.error(releases.damage)
  if (releases.live !== STARTED) {
    log.info(
      { release: releases.live },
      'deployed release is served: outpost rollback start returns to the app as it was before',
    )
  } else if (releases.filesOf(STARTED) !== undefined) {
    log.info('app is served as it was before its first deploy: outpost deploy serves the folder as it is now')
  }
  return releases
}

/** The path of a file or folder as seen from a folder around it; nothing if it is elsewhere. */
function pathWithin(folder: string, path: string): string[] {
  return [relative(realPath(folder), realPath(path))].filter(name => name !== '' && !name.startsWith('..'))
}

interface BesideParts {
  config: Config
  historyFile: string
  lifeline: string
  shutdown: ShutdownClock
  placeOf: (release: string) => ReleasePlace | undefined
  print: (name: string, line: string) => void
  log: Logger
}

/** The processes of a Procfile, and cron jobs. */
function processesBeside({ config, historyFile, placeOf, log, ...others }: BesideParts): {
  beside: SideProcesses
  cron: CronRunner
} {
  const commands = { ...others, log }
  const { processes: formation, cronTimeZone: timeZone, cronTimeoutS, redisUrl } = config
  const cronIsOff = formation === 'off' || formation['cron'] === 0
  return {
    beside: new SideProcesses({ ...commands, formation, placeOf, stopTimeoutMs: config.shutdownTimeoutMs }),
    cron: new CronRunner({
      ...commands,
      placeOf: id => (cronIsOff ? undefined : placeOf(id)),
      defaults: { timeZone, timeoutMs: cronTimeoutS * 1_000 },
      lease: redisUrl === undefined ? ownRunLease : new RedisRunLease(redisUrl, log),
      historyFile,
    }),
  }
}

/** The servers of the control API: the socket in DATA_DIR, and ADMIN_PORT if it is set. */
function controlServers(
  parts: Omit<Parameters<typeof commandsOf>[0], 'admin'> & { config: Config; tokens: TokenStore },
  socket: string,
  log: Logger,
): ControlServer[] {
  let admin: ControlServer | undefined
  const answers = commandsOf({ ...parts, admin: () => admin })
  const { adminPort } = parts.config
  if (adminPort !== undefined) {
    const refused = rarely(REFUSED_EACH_MS, () =>
      log.warn('request to ADMIN_PORT was refused: it has no token of this instance'),
    )
    admin = new ControlServer(portDoor(adminPort, parts.tokens, refused), answers)
  }
  return [new ControlServer(socketDoor(socket), answers), ...(admin ? [admin] : [])]
}

/** Automatic reloads: by schedule, and when a file changes. */
function reloadsByThemselves(reload: () => Promise<unknown>, config: Config, log: Logger): Service[] {
  const reloads = new OwnReloads(reload, log)
  const watch = new FolderWatch({
    folder: startFolder(),
    paths: config.watch,
    ignored: config.watchIgnore,
    dataDir: config.dataDir,
    onChange: path => reloads.ask(`${path} has changed`),
    onFault: reason => log.warn(`files of WATCH are not all watched: ${reason}`),
  })
  return [new ReloadSchedule(config.reloadCron, config.cronTimeZone, reloads, log), watch]
}

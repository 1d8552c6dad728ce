import { basename } from 'node:path'
import type { Readable } from 'node:stream'
import { appIn, findAppModule } from '../../config/app-module.js'
import { ControlError, type Deployed, type DeployProgress, type ReleaseInfo } from '../../control/protocol.js'
import type { Logger } from '../../process/log.js'
import type { Service } from '../../process/service.js'
import type { Stage } from '../plan/deployment.js'
import { ArchiveError, unpack, type ArchiveLimits } from './archive.js'
import { install, InstallError } from './installer.js'
import { STARTED, type Fault, type ReleaseSwitch, type Switching } from './release-switch.js'
import type { Draft, ReleaseStore } from './release-store.js'

/** What changes the release that runs. */
export interface ReleaseRunner {
  /** @throws {ControlError} another change, or a reload, is under way */
  changeRelease(switching: Switching): void
  readonly releases: Pick<ReleaseSwitch, 'current' | 'underWay' | 'warm'>
}

export interface DeployerOptions {
  store: ReleaseStore
  runner: ReleaseRunner
  /** The app that the program was started with, and where that was. */
  app: string | undefined
  startedIn: string
  /** The environment of the app, for its installation. */
  env: () => NodeJS.ProcessEnv
  lifelineFd: number
  installTimeoutMs: number
  keepWarmMs: number
  limits?: ArchiveLimits
  log: Logger
  /** A line that an installation has printed. */
  print(line: string): void
}

/** What is to be deployed. */
export interface Deploy {
  archive: Readable
  /** As people know it. */
  source: string
  stages: readonly Stage[]
}

type Told = (event: DeployProgress) => void

const LIMITS: ArchiveLimits = { maxBytes: 2 * 1024 ** 3, maxEntries: 200_000 }

/** Makes releases of what is sent, and has them take the place of the one that runs. One at a time. */
export class Deployer implements Service {
  readonly #stopping = new AbortController()
  #busy = false

  constructor(private readonly options: DeployerOptions) {}

  start(): Promise<void> {
    return Promise.resolve()
  }

  /** Gives up an installation that is under way. */
  stop(): Promise<void> {
    this.#stopping.abort(new ControlError('STOPPING'))
    return Promise.resolve()
  }

  /** The newest first, and at the end the code that the program was started with. */
  list(): ReleaseInfo[] {
    const { store, runner } = this.options
    const { current, warm, underWay } = runner.releases
    const stateOf = (id: string, outcome: string): ReleaseInfo['state'] => {
      if (id === current) return 'live'
      if (id === underWay?.release) return 'deploying'
      if (outcome === 'taken-back') return 'taken-back'
      return id === warm ? 'warm' : 'kept'
    }
    const made = store.list().map(({ id, at, source, outcome, reason }) => {
      return { id, at: new Date(at).toISOString(), source, state: stateOf(id, outcome), ...(reason && { reason }) }
    })
    const started = { id: STARTED, source: this.options.app ?? 'built-in app', state: stateOf(STARTED, 'live') }
    return [...made, started]
  }

  /**
   * Receives, installs and tries a release, and makes it the live one. Whatever fails, the release before goes on.
   * @throws {ControlError} `DEPLOY_UNDER_WAY`, `RELOAD_UNDER_WAY`, `ARCHIVE_REFUSED`, `INSTALL_FAILED`, `TAKEN_BACK`
   */
  deploy({ archive, source, stages }: Deploy, told: Told): Promise<Deployed> {
    return this.#alone(async () => {
      const { store, log } = this.options
      const draft = store.draft()
      try {
        const unpacked = await unpack(archive, draft.folder, this.options.limits ?? LIMITS)
        told({ event: 'received', release: draft.id, ...unpacked })
        this.#requireApp(draft.folder)
        const env = store.envOf(store.live)
        await this.#install(draft, env, told)
        store.keep(draft, source, env)
      } catch (error) {
        store.discard(draft)
        log.warn({ release: draft.id, source, reason: (error as Error).message }, 'release was not installed')
        throw refusalOf(error)
      }
      log.info({ release: draft.id, source }, 'release is installed')
      return this.#change(draft.id, stages, this.options.keepWarmMs, told)
    })
  }

  /**
   * Goes back to an earlier release, at once if its workers are still ready.
   * @param id undefined: the release before
   * @throws {ControlError} `UNKNOWN_RELEASE`, `DEPLOY_UNDER_WAY`, `RELOAD_UNDER_WAY`, `TAKEN_BACK`
   */
  rollback(id: string | undefined, told: Told): Promise<Deployed> {
    return this.#alone(async () => {
      const { store, runner } = this.options
      const to = id ?? store.previous
      if (to === undefined)
        throw new ControlError('UNKNOWN_RELEASE', { message: 'There is no release before this one.' })
      if (!store.has(to))
        throw new ControlError('UNKNOWN_RELEASE', { message: `There is no release ${to} to go back to.` })
      if (to === runner.releases.current)
        throw new ControlError('UNKNOWN_RELEASE', { message: `Release ${to} is live.` })
      return this.#change(to, [], 0, told)
    })
  }

  async #alone<T>(work: () => Promise<T>): Promise<T> {
    if (this.#busy || this.options.runner.releases.underWay !== undefined) throw new ControlError('DEPLOY_UNDER_WAY')
    this.#busy = true
    try {
      return await work()
    } finally {
      this.#busy = false
    }
  }

  #requireApp(folder: string): void {
    const { app, startedIn } = this.options
    if (findAppModule(appIn(folder, app, startedIn)) !== undefined) return
    const name = app === undefined ? 'index.js' : basename(app)
    throw new ArchiveError(`it has no app: neither ${name} nor what a package.json names by "start" or "main"`)
  }

  async #install({ folder }: Draft, pinned: Record<string, string>, told: Told): Promise<void> {
    const { env, lifelineFd, installTimeoutMs: timeoutMs, print } = this.options
    await install(folder, {
      env: { ...env(), ...pinned },
      timeoutMs,
      lifelineFd,
      onStep: command => told({ event: 'installing', command }),
      onLine: print,
      signal: this.#stopping.signal,
    })
  }

  #change(to: string, stages: readonly Stage[], keepWarmMs: number, told: Told): Promise<Deployed> {
    const { store, runner, log } = this.options
    return new Promise((resolve, reject) => {
      const takenBack = (fault: Fault): void => {
        store.takenBack(to, fault.reason)
        log.error({ release: to, reason: fault.reason }, 'release is taken back')
        const message = `release ${to} is taken back: ${fault.reason}; ${runner.releases.current} serves as before`
        void Promise.resolve(fault.printed).then(() => {
          reject(
            new ControlError('TAKEN_BACK', { message, ...(fault.lastLines && { lastLines: [...fault.lastLines] }) }),
          )
        })
      }
      const live = (): void => {
        store.setLive(to)
        log.info({ release: to }, 'release is live')
        resolve({ release: to })
      }
      const watcher = {
        baking: (share: number, ms: number): void => told({ event: 'baking', release: to, share, seconds: ms / 1_000 }),
        filling: (): void => told({ event: 'filling', release: to }),
        live,
        takenBack,
      }
      runner.changeRelease({ to, stages, keepWarmMs, watcher })
    })
  }
}

function refusalOf(error: unknown): unknown {
  const { message } = error as Error
  if (error instanceof ArchiveError)
    return new ControlError('ARCHIVE_REFUSED', { message: `The archive is refused: ${message}.` })
  if (!(error instanceof InstallError)) return error
  return new ControlError('INSTALL_FAILED', {
    message: `The release is not installed: ${message}.`,
    lastLines: error.lastLines,
  })
}

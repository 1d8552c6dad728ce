import type { Readable } from 'node:stream'
import { isDeepStrictEqual } from 'node:util'
import {
  ControlError,
  type Deployed,
  type EnvironmentChange,
  type ReleaseInfo,
  type RunPlace,
} from '../../control/protocol.js'
import type { Service } from '../../process/service.js'
import { syncTree } from '../../process/synced-tree.js'
import type { Stage } from '../plan/deployment.js'
import { abortOf } from './abort-of.js'
import { AppOfReleases, type AppOfReleasesOptions } from './app-of-releases.js'
import { unpack } from './archive.js'
import { ArchiveError } from './archive-error.js'
import { requireOwnPackages } from './borrowed-packages.js'
import { DeployTurns } from './deploy-turns.js'
import { orRefused, refusalOf, reloadRefusal } from './deploy-refusal.js'
import { install } from './installer.js'
import type { ArchiveLimits } from './release-tree.js'
import { markFiles } from './release-marks.js'
import { STARTED } from './release-switch.js'
import type { Draft } from './release-store.js'
import { SpaceWatch, type SpaceWatchOptions } from './space-watch.js'
import { Releaser, type OnProgress, type ReleaserOptions } from './releaser.js'
import { alreadyLive, wayBack } from './way-back.js'

export interface DeployerOptions extends ReleaserOptions, AppOfReleasesOptions {
  /** Keeps the app that the program was started with, before another release takes its place. */
  keepStarted: () => Promise<void>
  /** The variables that tell an app of the servers that run for it. */
  appEnvironment: Readonly<Record<string, string>>
  lifelineFd: number
  installTimeoutMs: number
  keepWarmMs: number
  /** How much of the disk releases leave free. Undefined: as for the embedded store. */
  minFreeBytes: number | undefined
  spaceReport?: SpaceWatchOptions['report']
  /** Folders of an archive that are never part of a release: the one that the instance writes to. */
  leftOut: readonly string[]
  sync?: typeof syncTree
  /** A line that an installation has printed. */
  print: (line: string) => void
}

/** A release that is to be deployed. */
export interface Deploy {
  archive: Readable
  /** As people know it. */
  source: string
  stages: readonly Stage[]
  /** Only clients that ask for it get it. */
  preview: boolean
}

const NEVER = ['.git', '.outpost']

const LIMITS: ArchiveLimits = { maxBytes: 2 * 1024 ** 3, maxEntries: 200_000, maxNameBytes: 64 * 1024 ** 2 }

/** Makes releases of what is sent, and has them take the place of the one that runs. One at a time. */
export class Deployer implements Service {
  readonly #stopping = new AbortController()
  readonly #releaser: Releaser
  readonly #turns: DeployTurns
  readonly #app: AppOfReleases

  constructor(private readonly options: DeployerOptions) {
    this.#releaser = new Releaser(options)
    this.#app = new AppOfReleases(options)
    this.#turns = new DeployTurns(() => options.runner.releases.underWay !== undefined)
  }

  /** Whether a deploy, or another change of the releases, is under way. */
  get isBusy(): boolean {
    return this.#turns.areTaken
  }

  start(): Promise<void> {
    this.#releaser.start()
    return Promise.resolve()
  }

  /** Gives up an installation that is under way. */
  stop(): Promise<void> {
    this.#releaser.stop()
    this.#stopping.abort(new ControlError('STOPPING'))
    return Promise.resolve()
  }

  /** The newest first, and at the end the code that the program was started with. */
  list(): ReleaseInfo[] {
    const { store, runner } = this.options
    const { current, warm, underWay, preview } = runner.releases
    const stateOf = (id: string, outcome: string): ReleaseInfo['state'] => {
      if (id === current) return 'live'
      if (id === underWay?.release) return 'deploying'
      if (outcome === 'taken-back') return 'taken-back'
      if (id === preview?.release) return 'preview'
      return id === warm ? 'warm' : 'kept'
    }
    const made = store.list().map(({ id, at, source, outcome, reason }) => {
      return { id, at: new Date(at).toISOString(), source, state: stateOf(id, outcome), ...(reason && { reason }) }
    })
    const started = { id: STARTED, source: this.options.app ?? 'built-in app', state: stateOf(STARTED, 'live') }
    return [...made, started]
  }

  /**
   * Receives, installs and tries a release, and makes it the live one. If a step fails, the previous release goes on.
   * @throws {ControlError} `DEPLOY_UNDER_WAY`, `RELOAD_UNDER_WAY`, `ARCHIVE_REFUSED`, `INSTALL_FAILED`, `ROLLED_BACK`,
   *   `TAKEN_BACK`
   */
  deploy({ archive, source, stages, preview }: Deploy, told: OnProgress): Promise<Deployed> {
    // It may fail before it is read.
    archive.on('error', () => undefined)
    return this.#turns.take(async () => {
      const { store, log } = this.options
      const draft = orRefused(() => store.draft())
      try {
        const env = await this.#turns.prepare(signal => this.#prepare(draft, archive, signal, told))
        store.keep(draft, source, env, this.#app.contentOf(draft.folder))
      } catch (error) {
        store.discard(draft)
        log.warn({ release: draft.id, source, reason: (error as Error).message }, 'release was not installed')
        throw refusalOf(error)
      }
      log.info({ release: draft.id, source }, 'release is installed')
      if (preview) return this.#releaser.preview(draft.id, told)
      return this.#releaser.change(draft.id, stages, this.options.keepWarmMs, told)
    })
  }

  /** Receives and installs a release. @returns the variables that are pinned to it */
  async #prepare(
    draft: Draft,
    archive: Readable,
    rolledBack: AbortSignal,
    told: OnProgress,
  ): Promise<Record<string, string>> {
    const { store, runner, log, leftOut, minFreeBytes: minBytes, spaceReport: report, keepStarted } = this.options
    const { sync = syncTree } = this.options
    await keepStarted()
    const space = new SpaceWatch({ folder: store.folder, minBytes, ...(report && { report }) })
    const signal = AbortSignal.any([this.#stopping.signal, space.signal, rolledBack])
    try {
      await space.start()
      const limits = { ...LIMITS, leftOut: [...NEVER, ...leftOut] }
      const unpacked = await unpack(archive, draft.folder, limits, () => this.#app.isIn(draft.folder), signal)
      const { files, bytes } = unpacked
      // An archive does not tell an instance's own files from a folder of the app that has their name.
      const [dataDir] = unpacked.leftOut.filter(name => !NEVER.includes(name))
      told({ event: 'received', release: draft.id, files, bytes, ...(dataDir !== undefined && { leftOut: dataDir }) })
      this.#app.requireIn(draft.folder)
      const env = store.envOf(store.live)
      await this.#install(draft, env, signal, told)
      requireOwnPackages(draft.folder)
      if (!this.#app.isIn(draft.folder)) throw new ArchiveError('the release has no app after its installation')
      // A rollback does not wait for it.
      await Promise.race([markFiles(draft.folder), abortOf(signal)])
      const doubt = await sync(draft.folder)
      space.signal.throwIfAborted()
      if (doubt !== undefined)
        log.warn({ release: draft.id }, `release may be damaged by a power cut within the next minute: ${doubt}`)
      // A reload that somebody has begun meanwhile is no reason to give up what was installed.
      await Promise.race([runner.reloaded(), abortOf(signal)])
      return env
    } finally {
      space.stop()
    }
  }

  /**
   * Changes variables of the app: a release with the same files, and these variables pinned to it. None if they are so.
   * @throws {ControlError} as for a deploy
   */
  setEnvironment({ set, unset }: EnvironmentChange, told: OnProgress): Promise<Deployed> {
    return this.#alone(() => {
      const { store } = this.options
      const { live } = store
      const { files, main } = store.get(live) ?? {}
      const before = store.envOf(live)
      const kept = Object.entries(before).filter(([name]) => !unset.includes(name))
      const env = { ...Object.fromEntries(kept), ...set }
      if (isDeepStrictEqual(env, before)) return Promise.resolve({ release: live })
      const draft = orRefused(() => store.draft())
      try {
        // The names only: a source is shown to people.
        const names = [...Object.keys(set), ...unset.map(name => `-${name}`)].join(' ')
        store.keep(draft, `env ${names}`, env, { files: files ?? live, ...(main !== undefined && { main }) })
      } catch (error) {
        store.discard(draft)
        throw refusalOf(error)
      }
      return this.#releaser.change(draft.id, [], this.options.keepWarmMs, told)
    })
  }

  /** Where a one-off command of the live release runs. */
  runPlace(): RunPlace {
    const { store, env, startedIn, appEnvironment } = this.options
    const all = { ...env(), ...appEnvironment, ...store.envOf(store.live) }
    const given = Object.entries(all).filter((pair): pair is [string, string] => pair[1] !== undefined)
    return { cwd: store.filesOf(store.live) ?? startedIn, env: Object.fromEntries(given) }
  }

  /** The variables that were set for the live release. */
  environment(): Record<string, string> {
    return this.options.store.envOf(this.options.store.live)
  }

  /**
   * Makes a release live that is in preview, or was kept, as a deploy does.
   * @throws {ControlError} `UNKNOWN_RELEASE`, `ALREADY_LIVE`, `DEPLOY_UNDER_WAY`, `RELOAD_UNDER_WAY`, `TAKEN_BACK`
   */
  activate(id: string, stages: readonly Stage[], told: OnProgress): Promise<Deployed> {
    return this.#alone(() => {
      this.#requireRelease(id)
      return this.#releaser.change(id, stages, this.options.keepWarmMs, told)
    })
  }

  /**
   * Goes back to an earlier release, at once if its workers are still ready. A deploy is given up, whatever it is at,
   * and so is a reload.
   * @param id undefined: the previous release; during a trial the one that the other clients get
   * @throws {ControlError} `UNKNOWN_RELEASE`, `ALREADY_LIVE`, `DEPLOY_UNDER_WAY`, `TAKEN_BACK`
   */
  rollback(id: string | undefined, told: OnProgress): Promise<Deployed> {
    return this.#turns.takeAhead(async rolledBack => {
      const { store, runner, log, keepStarted } = this.options
      await keepStarted()
      const { to, ends, isServed } = wayBack(id, runner.releases, this.#releaser.isChanging, store)
      if (ends === 'change') await this.#releaser.endChange(to, told)
      if (ends === 'preview') {
        runner.endPreview()
        await this.#releaser.routed()
      }
      if (isServed) return { release: to }
      if (runner.endReload(reloadRefusal(to))) log.warn({ release: to }, 'reload is given up: the app is rolled back')
      const deployed = await this.#releaser.change(to, [], 0, told)
      rolledBack(to)
      return deployed
    })
  }

  #requireRelease(id: string): void {
    const { store, runner } = this.options
    if (!store.has(id)) throw new ControlError('UNKNOWN_RELEASE', { message: `There is no release ${id} to run.` })
    if (id === runner.releases.current) throw alreadyLive(id)
  }

  #alone<T>(work: () => Promise<T>): Promise<T> {
    return this.#turns.take(async () => {
      await this.options.keepStarted()
      return work()
    })
  }

  async #install(
    { folder }: Draft,
    pinned: Record<string, string>,
    signal: AbortSignal,
    told: OnProgress,
  ): Promise<void> {
    const { env, lifelineFd, installTimeoutMs: timeoutMs, print } = this.options
    await install(folder, {
      env: { ...env(), ...pinned },
      timeoutMs,
      lifelineFd,
      onStep: command => told({ event: 'installing', command }),
      onLine: print,
      signal,
    })
  }
}

import { isAbsolute, relative } from 'node:path'
import type { Logger } from '../../process/log.js'
import type { Service } from '../../process/service.js'
import { syncTree } from '../../process/synced-tree.js'
import { homeFolder } from '../../config/app-environment.js'
import { folderOfApp } from '../../config/app-module.js'
import { STARTED } from './release-switch.js'
import type { ReleaseStore } from './release-store.js'
import { SpaceWatch } from './space-watch.js'
import { copyApp } from './started-copy.js'

export interface StartedAppOptions {
  store: ReleaseStore
  /** The app that the program was started with, and where that was. Undefined: the built-in one, which does not change. */
  app: string | undefined
  startedIn: string
  dataDir: string
  /** The bytes of the disk that stay free. Undefined: as for the embedded store. */
  minFreeBytes: number | undefined
  log: Logger
  copy?: typeof copyApp
  /** The copy is given up after this time, in milliseconds. */
  copyTimeoutMs?: number
}

/** 20,000 small files took 4 to 20 seconds on two busy cores. The first deploy waits for the copy. */
const COPY_TIMEOUT_MS = 60_000

/** Whether the app is there as it was started, and if not, why. */
type Outcome = { kind: 'copied' } | { kind: 'failed' } | { kind: 'impossible'; reason: string }

/**
 * The app that the program was started with. People edit its folder and deploy it from there, so until then it is copied: from
 * the first deploy on, the release `start` is the copy.
 */
export class StartedApp implements Service {
  readonly #stopping = new AbortController()
  #copy: Promise<Outcome> | undefined

  constructor(private readonly options: StartedAppOptions) {}

  /** Begins to copy the app, while its workers start. */
  start(): Promise<void> {
    const { store, app } = this.options
    if (app !== undefined && store.live === STARTED && store.filesOf(STARTED) === undefined)
      this.#copy = this.#copied(app)
    return Promise.resolve()
  }

  /** Gives up a copy that is being made. */
  stop(): Promise<void> {
    this.#stopping.abort(new Error('the program stops'))
    return Promise.resolve()
  }

  /** From now on `start` is the copy. Does nothing if another release is live, or if it has been kept already. */
  async keep(): Promise<void> {
    const copy = this.#copy
    this.#copy = undefined
    const outcome = await copy
    if (outcome?.kind === 'copied') {
      await syncTree(this.options.store.startedDraft())
      return this.options.store.keepStarted()
    }
    if (outcome?.kind === 'impossible') this.#warn(outcome.reason)
  }

  async #copied(app: string): Promise<Outcome> {
    const { store, startedIn, dataDir, minFreeBytes, copy = copyApp, copyTimeoutMs = COPY_TIMEOUT_MS } = this.options
    const folder = folderOfApp(app, startedIn)
    const name = relative(folder, app)
    if (name.startsWith('..') || isAbsolute(name)) {
      // Not logged before the first deploy: without one, it does not matter.
      return { kind: 'impossible', reason: 'it is not in the folder in which it was started' }
    }
    // Where a systemd unit without WorkingDirectory starts it, or a person: most of what is there is no part of an app.
    if (folder === '/' || folder === homeFolder()) {
      return { kind: 'impossible', reason: `it was started in ${folder}, not in a folder of its own` }
    }
    const late = new AbortController()
    const seconds = copyTimeoutMs / 1_000
    const timer = setTimeout(() => late.abort(new Error(`its copy took longer than ${seconds} s`)), copyTimeoutMs)
    const space = new SpaceWatch({ folder: dataDir, minBytes: minFreeBytes })
    try {
      await space.start()
      const signal = AbortSignal.any([late.signal, space.signal, this.#stopping.signal])
      await copy(folder, store.startedDraft(), dataDir, { signal })
      return { kind: 'copied' }
    } catch (error) {
      // At once: there is still time to deploy the folder before it is edited.
      if (!this.#stopping.signal.aborted) this.#warn((error as Error).message)
      return { kind: 'failed' }
    } finally {
      clearTimeout(timer)
      space.stop()
    }
  }

  #warn(reason: string): void {
    const { log } = this.options
    log.warn(`app could not be copied: ${reason}; release start runs what is in its folder, even after a deploy`)
  }
}

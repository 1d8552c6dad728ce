import { isAbsolute, relative } from 'node:path'
import type { Logger } from '../../process/log.js'
import type { Service } from '../../process/service.js'
import { folderOfApp } from '../../config/app-module.js'
import { STARTED } from './release-switch.js'
import type { ReleaseStore } from './release-store.js'
import { copyApp } from './started-copy.js'

export interface StartedAppOptions {
  store: ReleaseStore
  /** The app that the program was started with, and where that was. Undefined: the built-in one, which does not change. */
  app: string | undefined
  startedIn: string
  dataDir: string
  log: Logger
}

/**
 * The app that the program was started with. People edit its folder and deploy it from there, so until then it is copied: from
 * the first deploy on, the release `start` is the copy.
 */
export class StartedApp implements Service {
  #copy: Promise<string | undefined> | undefined

  constructor(private readonly options: StartedAppOptions) {}

  /** Begins to copy the app, while its workers start. */
  start(): Promise<void> {
    const { store, app } = this.options
    if (app !== undefined && store.live === STARTED && store.filesOf(STARTED) === undefined)
      this.#copy = this.#copied(app)
    return Promise.resolve()
  }

  stop(): Promise<void> {
    return Promise.resolve()
  }

  /** From now on `start` is the copy. Does nothing if another release is live, or if it has been kept already. */
  async keep(): Promise<void> {
    const { store, log } = this.options
    const copy = this.#copy
    this.#copy = undefined
    if (copy === undefined) return
    const fault = await copy
    if (fault === undefined) return store.keepStarted()
    log.warn(
      `app is not kept as it was started: ${fault}; new workers of release start run what is in its folder by then`,
    )
  }

  /** @returns why it cannot be kept */
  async #copied(app: string): Promise<string | undefined> {
    const { store, startedIn, dataDir } = this.options
    const folder = folderOfApp(app, startedIn)
    const name = relative(folder, app)
    if (name.startsWith('..') || isAbsolute(name)) return 'it is not in the folder in which it was started'
    try {
      await copyApp(folder, store.startedDraft(), dataDir)
      return undefined
    } catch (error) {
      return (error as Error).message
    }
  }
}

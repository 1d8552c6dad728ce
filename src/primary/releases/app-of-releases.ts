import { relative } from 'node:path'
import { appIn, findAppModule } from '../../config/app-module.js'
import { ArchiveError } from './archive-error.js'
import { stepsFor } from './installer.js'
import { missingApp } from './missing-app.js'

export interface AppOfReleasesOptions {
  /** The app that the program was started with, and where that was. */
  app: string | undefined
  startedIn: string
  /** The environment of the app, for its installation. */
  env: () => NodeJS.ProcessEnv
}

/** The app that each release has in its folder, at the place where the program's own one is. */
export class AppOfReleases {
  constructor(private readonly options: AppOfReleasesOptions) {}

  isIn(folder: string): boolean {
    return this.#mainIn(folder) !== undefined
  }

  /** What is recorded of it. */
  contentOf(folder: string): { main?: string } {
    const main = this.#mainIn(folder)
    return main === undefined ? {} : { main }
  }

  /** @throws {ArchiveError} the folder has no app, and no build script that could make it */
  requireIn(folder: string): void {
    const { app, env } = this.options
    if (this.isIn(folder) || stepsFor(folder, env()).length > 0) return
    throw new ArchiveError(missingApp(folder, app))
  }

  #mainIn(folder: string): string | undefined {
    const { app, startedIn } = this.options
    const file = findAppModule(appIn(folder, app, startedIn))?.file
    return file && relative(folder, file)
  }
}

import { installEnvironment, startFolder, workerEnvironment } from '../config/app-environment.js'
import { folderOfApp } from '../config/app-module.js'
import type { Config } from '../config/config.js'
import type { ReleasePlace } from './beside/side-processes.js'
import type { EmbeddedServers } from './embedded/embedded-servers.js'
import type { PublicPort } from './host/public-port.js'
import type { ReleaseStore } from './releases/release-store.js'

interface PlaceParts {
  config: Config
  releases: ReleaseStore
  embedded: EmbeddedServers
  publicPort: PublicPort
}

/** Where the commands of a release run; undefined for the built-in app, which has none. */
export function placeOfRelease(
  id: string,
  { config, releases, embedded, publicPort }: PlaceParts,
): ReleasePlace | undefined {
  if (config.app === undefined) return undefined
  return {
    cwd: releases.filesOf(id) ?? folderOfApp(config.app, startFolder()),
    env: place => ({
      ...installEnvironment(),
      ...embedded.environment(),
      ...releases.envOf(id),
      ...workerEnvironment(publicPort.port, place, config.incrementVar),
    }),
  }
}

import { isHostOfApp, type Config } from '../../config/config.js'
import type { Logger } from '../../process/log.js'
import { PublicPort } from './public-port.js'
import { becomeUser, needsRoot, userToBe } from './run-as.js'

/** Before anything is read or started. @returns the public port, if only root may bind it */
export async function giveUpRoot(config: Config, log: Logger): Promise<PublicPort | undefined> {
  const user = userToBe(config.runAs, config.app)
  if (user === undefined) return undefined
  const port = needsRoot(config.port) ? await bindPublicPort(config, log) : undefined
  becomeUser(user, config.dataDir)
  return port
}

/** A HOST that is the app's name for itself, e.g. shop.example.org, is no address to bind. */
export async function bindPublicPort(config: Config, log: Logger): Promise<PublicPort> {
  const { host, port } = config
  try {
    return await PublicPort.bind(host, port)
  } catch (error) {
    const bound = isHostOfApp(config) ? await PublicPort.bind(undefined, port).catch(() => undefined) : undefined
    if (bound === undefined) throw error
    log.warn(`HOST=${host} is left to the app: ${(error as Error).message}; OUTPOST_HOST is never the app's`)
    return bound
  }
}

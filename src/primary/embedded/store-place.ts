import type { Config } from '../../config/config.js'
import { embedsAtStart, hasServerOfItsOwn, mayEmbed } from '../../config/embedding.js'
import type { InstanceFolder } from '../host/instance-folder.js'
import { bindLoopback, bindLoopbackAt, loopbackPort, type LoopbackPort } from './loopback-port.js'
import { isMinioChosen, type StorePlace } from './store-backend.js'

/** Finds a place for the store that may run here. @throws {Error} names STORE_PORT */
export function placeOfStore(config: Config, folder: InstanceFolder): StorePlace {
  const { storePort, cacheDir } = config
  const { objectsDir, minioDir, storePortFile, storeSocket } = folder
  if (!mayEmbed(config, 'storage')) return {}
  if (!isMinioChosen({ objectsDir, minioDir, cacheDir, storePort })) {
    return { socketPath: storeSocket, ...portFor(config, storePortFile) }
  }
  if (storePort === 'off') throw new Error(`STORE_PORT=off: ${minioDir} holds objects of a minio, which needs a port`)
  return { port: storePort === 'auto' ? loopbackPort(storePortFile) : storePort }
}

/** Other programs reach the store by a port: an app that names a client of S3, and programs of the person. */
function portFor(config: Config, file: string): LoopbackPort | undefined {
  const { storePort, app } = config
  if (storePort === 'off') return undefined
  if (storePort !== 'auto') return bindLoopbackAt(storePort, 'STORE_PORT')
  const isForApp = app !== undefined && embedsAtStart(config, 'storage') && !hasServerOfItsOwn('storage')
  return isForApp ? bindLoopback(file) : undefined
}

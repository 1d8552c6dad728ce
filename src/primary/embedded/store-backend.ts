import { fork, type ChildProcess } from 'node:child_process'
import fs from 'node:fs'
import { join } from 'node:path'
import type { Config } from '../../config/config.js'
import { programPath } from '../../config/program-path.js'
import { parseReport, sendOrder } from '../../ipc/messages.js'
import { spawnGuarded } from '../host/lifeline.js'

/** The data were written by a minio, and this machine no longer has one. */
export class MinioMissingError extends Error {
  constructor(directory: string) {
    super(`${directory} holds objects that a minio wrote, but no minio was found: install it, or set S3_ENDPOINT`)
    this.name = 'MinioMissingError'
  }
}

/** Where the store is reached: Outpost's own by a unix socket, and by a port where one is wanted; a minio by a port. */
export interface StorePlace {
  /** Undefined for a minio, which listens on ports only. */
  socketPath?: string
  /** On 127.0.0.1. */
  port?: number
  /** The port, bound: it stays with this instance when the store exits. */
  handle?: object
}

/** Settings that every kind of object store needs. */
export interface StoreSettings {
  place: StorePlace
  accessKey: string
  secretKey: string
  region: string
  /** Writes are refused under this much free space; undefined: the default. A minio has a rule of its own. */
  minFreeBytes?: number | undefined
  /** Path of the named pipe whose end stops it. */
  lifeline: string
  logLevel: Config['logLevel']
}

/** One kind of object store, as a process of its own session. */
export interface StoreBackend {
  /** Shown in the start summary. */
  readonly name: string
  spawn(settings: StoreSettings): ChildProcess
}

export interface BackendFacts {
  objectsDir: string
  minioDir: string
  cacheDir: string
  /** A minio needs a port. */
  storePort: Config['storePort']
}

/**
 * A minio if one is found and may have a port, else Outpost's own store. Existing data stay with the server that wrote
 * them: with another one, every object would seem lost.
 */
export function isMinioChosen({ objectsDir, minioDir, cacheDir, storePort }: BackendFacts): boolean {
  if (hasData(objectsDir)) return false
  return hasData(minioDir) || (storePort !== 'off' && findMinio(cacheDir) !== undefined)
}

/**
 * @param program `dist/main.js`
 * @throws {MinioMissingError}
 */
export function chooseBackend(program: string, facts: BackendFacts): StoreBackend {
  const { objectsDir, minioDir, cacheDir } = facts
  if (!isMinioChosen(facts)) return { name: 'embedded', spawn: settings => forkStore(program, objectsDir, settings) }
  const path = findMinio(cacheDir)
  if (path === undefined) throw new MinioMissingError(minioDir)
  return { name: `minio (${path})`, spawn: settings => spawnMinio(path, minioDir, settings) }
}

function hasData(directory: string): boolean {
  try {
    return fs.readdirSync(directory).length > 0
  } catch {
    return false
  }
}

/** The minio in PATH, or the one that scripts/install-minio.sh has built. */
function findMinio(cacheDir: string): string | undefined {
  const installed = programPath('minio')
  if (installed !== undefined) return installed
  const folder = join(cacheDir, 'outpost', 'bin')
  try {
    const built = fs.readdirSync(folder).filter(name => name.startsWith('minio-'))
    const latest = built.sort().at(-1)
    return latest === undefined ? undefined : join(folder, latest)
  } catch {
    return undefined
  }
}

function forkStore(program: string, directory: string, { place, ...settings }: StoreSettings): ChildProcess {
  const { socketPath = '', handle } = place
  // In a session of its own: a signal to the primary's group must not end the store before its users.
  const child = fork(program, ['store'], { detached: true, stdio: ['ignore', 'pipe', 'pipe', 'ipc'] })
  child.on('message', message => {
    if (parseReport(message)?.type !== 'hello') return
    sendOrder(child, { type: 'start-store', directory, socketPath, ...settings }, handle)
  })
  return child
}

function spawnMinio(path: string, directory: string, settings: StoreSettings): ChildProcess {
  const { place, accessKey, secretKey, region, lifeline } = settings
  fs.mkdirSync(directory, { recursive: true, mode: 0o700 })
  const env = {
    HOME: directory,
    PATH: '/usr/local/bin:/usr/bin:/bin',
    MINIO_ROOT_USER: accessKey,
    MINIO_ROOT_PASSWORD: secretKey,
    MINIO_SITE_REGION: region,
    MINIO_BROWSER: 'off',
    MINIO_UPDATE: 'off',
  }
  const command = [path, 'server', '--quiet', '--address', `127.0.0.1:${place.port}`, directory]
  return spawnGuarded(lifeline, command, env)
}

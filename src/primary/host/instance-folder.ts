import { createHash, randomBytes } from 'node:crypto'
import fs from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { framesPathOf } from '#balancer/contract/frames.js'
import { HANG_SUFFIX } from '../../ipc/hang-sign.js'
import { KEPT_FOLDER } from '../../ipc/kept-folder-path.js'
import { NOTES_SUFFIX } from '../../ipc/request-notes.js'
import { requireExclusive } from './exclusive-folder.js'
import { writeSynced } from '../../process/synced-file.js'

/** `sun_path` holds 108 bytes with its final NUL on Linux, 104 elsewhere. */
const MAX_SOCKET_PATH = 103
const LONGEST_SOCKET_NAME = framesPathOf('worker-1234567890.sock')

/** Made in DATA_DIR by the first start, and never removed. */
export const LOCK_FILE = 'lock'

/** The folders of an instance: DATA_DIR for lasting data, and a folder with a short path for sockets. */
export class InstanceFolder {
  /** The folder for sockets and pipes, which are useless after the instance. No other user may enter it. */
  readonly runDir: string

  /** Creates both folders. @throws {Error} names DATA_DIR when they cannot be created, or others may write there */
  constructor(readonly dataDir: string) {
    makeFolder(dataDir)
    requireExclusive(dataDir)
    this.runDir = join(dataDir, 'run')
    // A longer DATA_DIR was moved to this path.
    if (isLink(this.runDir)) fs.rmSync(this.runDir)
    if (Buffer.byteLength(join(this.runDir, LONGEST_SOCKET_NAME)) > MAX_SOCKET_PATH) this.runDir = shortRunDir(dataDir)
    makeFolder(this.runDir)
    // In the temporary directory, another user may have created the folder first.
    const { uid, mode } = fs.lstatSync(this.runDir)
    if (uid !== process.getuid?.() || (mode & 0o077) !== 0)
      throw new Error(`${this.runDir} must belong to this user alone`)
  }

  get lockFile(): string {
    return join(this.dataDir, LOCK_FILE)
  }

  get lifeline(): string {
    return join(this.runDir, 'lifeline')
  }

  get redisDir(): string {
    return join(this.dataDir, 'redis')
  }

  get redisSocket(): string {
    return join(this.runDir, 'redis.sock')
  }

  /** The file with the port on 127.0.0.1 of the embedded Redis. */
  get redisPortFile(): string {
    return join(this.dataDir, 'redis-port')
  }

  /** The settings of the embedded Redis that nobody else may read. */
  get redisLoginFile(): string {
    return join(this.runDir, 'redis.conf')
  }

  /** The socket of the control API. */
  get controlSocket(): string {
    return join(this.runDir, 'control.sock')
  }

  /** The hashes of tokens for the control API. */
  get tokensFile(): string {
    return join(this.dataDir, 'tokens.json')
  }

  /** The data of the embedded object store. */
  get objectsDir(): string {
    return join(this.dataDir, 'objects')
  }

  /** The unix socket of Outpost's own object store. */
  get storeSocket(): string {
    return join(this.runDir, 'store.sock')
  }

  /** The file with the port on 127.0.0.1 of the object store or the minio, where it has one. */
  get storePortFile(): string {
    return join(this.dataDir, 'store-port')
  }

  /** The data of a minio. */
  get minioDir(): string {
    return join(this.dataDir, 'minio')
  }

  /** The releases that were deployed. */
  get releasesDir(): string {
    return join(this.dataDir, 'releases')
  }

  /** The page that is shown during maintenance; the file exists while maintenance is on. */
  get maintenanceFile(): string {
    return join(this.dataDir, 'maintenance.json')
  }

  /** The results of the last runs of jobs. */
  get cronFile(): string {
    return join(this.dataDir, 'cron.json')
  }

  /** The log of the instance; no other user may read it. Made here. */
  get logsDir(): string {
    const path = join(this.dataDir, 'logs')
    makeFolder(path)
    return path
  }

  workerSocket(id: string): string {
    return join(this.runDir, `worker-${id}.sock`)
  }

  /** Lets `DATA_DIR/run` lead to the sockets, wherever they are: commands look there. Only for the holder of the lock. */
  linkRunDir(): void {
    const run = join(this.dataDir, 'run')
    if (this.runDir === run) return
    fs.rmSync(run, { recursive: true, force: true })
    fs.symlinkSync(this.runDir, run)
  }

  /** Removes the sockets of an earlier instance, and what its workers have shared. */
  clearSockets(): void {
    for (const name of fs.readdirSync(this.runDir)) {
      if (['.sock', NOTES_SUFFIX, HANG_SUFFIX].some(suffix => name.endsWith(suffix)))
        fs.rmSync(join(this.runDir, name), { force: true })
    }
    fs.rmSync(join(this.runDir, KEPT_FOLDER), { recursive: true, force: true })
  }

  /** Removes the folder for sockets if it is in the temporary directory, where it would be forgotten. */
  leave(): void {
    this.clearSockets()
    const run = join(this.dataDir, 'run')
    if (this.runDir === run) return
    if (isLink(run)) fs.rmSync(run)
    fs.rmSync(this.runDir, { recursive: true, force: true })
  }

  /**
   * A secret that is made at the first start and kept, readable by this user alone.
   * @throws {Error} names the file of a secret that cannot be read or made
   */
  secret(name: string): string {
    const path = join(this.dataDir, name)
    try {
      return fs.existsSync(path) ? readSecret(path) : makeSecret(path)
    } catch (error) {
      throw new Error(`${path}: ${(error as Error).message}`, { cause: error })
    }
  }
}

function readSecret(path: string): string {
  const secret = fs.readFileSync(path, 'utf8').trim()
  if (secret === '') throw new Error('the file is empty: remove it, or write the secret into it')
  return secret
}

function makeSecret(path: string): string {
  const secret = randomBytes(32).toString('base64url')
  writeSynced(path, secret)
  return secret
}

/**
 * Creates the folder and its parents, one by one. Node's own recursion never ends where the file system reports ENOENT
 * for a new folder in an existing one (as Linux does in /proc).
 */
function makeFolder(path: string): void {
  const missing: string[] = []
  for (let at = path; !fs.existsSync(at); at = dirname(at)) missing.unshift(at)
  try {
    for (const folder of missing) makeUnlessThere(folder)
    fs.accessSync(`${path}/`, fs.constants.W_OK | fs.constants.X_OK)
  } catch (error) {
    const { message } = error as Error
    throw new Error(`DATA_DIR: must be a folder that this user can make and write to: ${message}`, { cause: error })
  }
}

function isLink(path: string): boolean {
  return fs.lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink() === true
}

function makeUnlessThere(folder: string): void {
  try {
    fs.mkdirSync(folder, { mode: 0o700 })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  }
}

function shortRunDir(dataDir: string): string {
  const hash = createHash('sha256').update(fs.realpathSync(dataDir)).digest('hex').slice(0, 12)
  return join(tmpdir(), `outpost-${process.getuid?.() ?? 0}-${hash}`)
}

import { createHash, randomBytes } from 'node:crypto'
import fs from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'

/** `sun_path` holds 108 bytes with its final NUL on Linux, 104 elsewhere. */
const MAX_SOCKET_PATH = 103
const LONGEST_SOCKET_NAME = 'worker-1234567890.sock'

/** Where an instance keeps its things: what has to last in DATA_DIR, sockets in a folder with a short path. */
export class InstanceFolder {
  /** For sockets and pipes, which mean nothing after the instance. Nobody else may enter it. */
  readonly runDir: string

  /** Creates both folders. Throws an error that names DATA_DIR when it may not. */
  constructor(readonly dataDir: string) {
    makeFolder(dataDir)
    this.runDir = join(dataDir, 'run')
    if (Buffer.byteLength(join(this.runDir, LONGEST_SOCKET_NAME)) > MAX_SOCKET_PATH) this.runDir = shortRunDir(dataDir)
    makeFolder(this.runDir)
    // In the temporary directory somebody else may have been there first.
    const { uid, mode } = fs.lstatSync(this.runDir)
    if (uid !== process.getuid?.() || (mode & 0o077) !== 0)
      throw new Error(`${this.runDir} must belong to this user alone`)
  }

  get lockFile(): string {
    return join(this.dataDir, 'lock')
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

  /** Where the primary takes commands. */
  get controlSocket(): string {
    return join(this.runDir, 'control.sock')
  }

  /** The embedded object store's data. */
  get objectsDir(): string {
    return join(this.dataDir, 'objects')
  }

  /** The port on 127.0.0.1 of whichever of the two serves. */
  get storePortFile(): string {
    return join(this.dataDir, 'store-port')
  }

  /** A minio's data. */
  get minioDir(): string {
    return join(this.dataDir, 'minio')
  }

  workerSocket(id: string): string {
    return join(this.runDir, `worker-${id}.sock`)
  }

  /** Removes the sockets of an instance that is gone. */
  clearSockets(): void {
    for (const name of fs.readdirSync(this.runDir)) {
      if (name.endsWith('.sock')) fs.rmSync(join(this.runDir, name), { force: true })
    }
  }

  /** Removes the folder for sockets when it is not one of DATA_DIR's, which would hardly be noticed there. */
  leave(): void {
    this.clearSockets()
    if (this.runDir !== join(this.dataDir, 'run')) fs.rmSync(this.runDir, { recursive: true, force: true })
  }

  /**
   * A secret that is made at the first start and kept, readable by this user alone. Throws an error that names its file
   * when it cannot be had.
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
  if (secret === '') throw new Error('it is empty: remove it, or write the secret into it')
  return secret
}

function makeSecret(path: string): string {
  const secret = randomBytes(32).toString('base64url')
  const draft = `${path}.new`
  const file = fs.openSync(draft, 'w', 0o600)
  fs.writeSync(file, `${secret}\n`)
  fs.fsyncSync(file)
  fs.closeSync(file)
  fs.renameSync(draft, path)
  return secret
}

/**
 * With all that leads to it, made one by one: Node's own recursion never ends where the file system says of a folder
 * in one that exists that there is none (as Linux does in /proc).
 */
function makeFolder(path: string): void {
  const missing: string[] = []
  for (let at = path; !fs.existsSync(at); at = dirname(at)) missing.unshift(at)
  try {
    for (const folder of missing) makeUnlessThere(folder)
    fs.accessSync(`${path}/`, fs.constants.W_OK | fs.constants.X_OK)
  } catch (error) {
    const { message } = error as Error
    throw new Error(`DATA_DIR: accepted is a folder that this user can make and write to: ${message}`, { cause: error })
  }
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

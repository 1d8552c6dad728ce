import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdir, rm } from 'node:fs/promises'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import net, { BlockList, isIP, type AddressInfo, type ListenOptions } from 'node:net'
import { join } from 'node:path'
import { finished } from 'node:stream/promises'
import { ConnectionOrder } from './connection-order.js'
import { Buckets } from './disk/buckets.js'
import { claimDirectory, makeDirectory } from './disk/directories.js'
import { FreeSpace } from './disk/free-space.js'
import { asS3Error, DamagedError } from './errors.js'
import { Scrub, type ScrubReport } from './disk/scrub.js'
import { Operation, type Limits } from './protocol/operation.js'
import { Reply } from './protocol/reply.js'
import { handlerOf } from './protocol/router.js'
import { parseTarget, S3Request, signedView } from './request/s3-request.js'
import { verifySignature, type SigningCredentials } from './request/signature-v4.js'
import { pacer, repeatScrub, type ScrubTimes } from './scrub-schedule.js'
import type { StoreContext } from './disk/store-context.js'
import { TempFolder } from './disk/temp-folder.js'

export interface ObjectStoreOptions extends SigningCredentials {
  /** The store writes under this directory only, and creates it if it is missing. One store per directory. */
  readonly directory: string
  /** A loopback address; default 127.0.0.1. */
  readonly host?: string
  /** 0 for any free port; undefined: no port. */
  readonly port?: number
  /** A socket that is bound already, in place of `host` and `port`. */
  readonly handle?: object
  /** A unix socket to listen on, beside a port or alone. */
  readonly socketPath?: string
  /** Largest object in bytes; default 5 TiB. One request may send 5 GiB at most. Both limits are S3's. */
  readonly maxObjectBytes?: number
  /** No body is stored under this much free space, but removals work; default the smaller of 1 GiB and 5 %. */
  readonly minFreeBytes?: number
  /** Connections at once, default 512; more are cut as they come. */
  readonly maxConnections?: number
  /** How long a connection may be idle before it is cut; default 120,000. */
  readonly idleTimeoutMs?: number
  /** How long `stop` waits for requests in flight; default 5,000. */
  readonly stopTimeoutMs?: number
  /** When all objects are read and compared with their checksums; default only on a call of `scrub`. */
  readonly scrubTimes?: ScrubTimes
  /** How much a scrub reads; default 32 MiB a second. */
  readonly scrubBytesPerSecond?: number
  /** Milliseconds since the epoch; default the system's clock. */
  readonly now?: () => number
  /** Called for faults that concern the operator: an answer of 5xx with its cause, a damaged file. */
  readonly warn?: (message: string, cause?: unknown) => void
}

const HEADERS_TIMEOUT_MS = 30_000
const CONNECTION_CHECK_MS = 5_000
const LOOPBACK = new BlockList()
LOOPBACK.addSubnet('127.0.0.0', 8, 'ipv4')
LOOPBACK.addAddress('::1', 'ipv6')

/**
 * An S3-compatible object store for one machine: the subset of S3 that clients use, Signature V4 on every
 * request, path-style addresses, no versions, no policies, everything private. What is not implemented is answered 501.
 *
 *     directory/
 *       temp/                           all incomplete files
 *       buckets/NAME/bucket             time of its creation
 *       buckets/NAME/objects/HH/HASH    one object: body, record, trailer; HASH = SHA-256 of the key, HH its first byte
 *       buckets/NAME/uploads/ID/upload  a multipart upload under way: its key and attributes
 *       buckets/NAME/uploads/ID/00001   one part: body, record, trailer
 *
 * Invariants:
 * - A file gets a name outside temp/ by `rename` only, after it was synced, and the directory is synced before
 *   the client gets its answer. So a crash or a power cut leaves the old or the new object, and files in temp/.
 * - Nothing refers to temp/; `start` empties it.
 * - An object of one request is one file, key, hash and attributes included. An object of many parts is a file without
 *   a body whose record names an upload: the parts stay where they were received, and completion copies nothing.
 * - `start` removes folders of uploads that have no file `upload` and to which no object refers.
 * - A record has a CRC-32 of itself and of every block of its body. Nothing is sent that was not compared with them. What
 *   version 0.1 wrote has no checksums of blocks, and gets them from a scrub.
 * - A file that is damaged or foreign is named to `warn` and left alone. Its key, which is known by its hash, is
 *   answered 500 and not 404, until the object is written or deleted.
 * - Files are named by the hash of a key, never by the key. Bucket names follow S3's rules, so they are safe in a path.
 * - The index (key, size, ETag, date; some 300 bytes an object) is in memory, in the byte order S3 lists in, and is
 *   changed in the same turn as the disk, one writer a key at a time. `start` rebuilds it from the records, so there
 *   is no second copy on the disk that could contradict them; a hundred thousand objects take a few seconds.
 * - Bodies pass through in pieces: no request holds more than a few of them, however large its object is.
 */
export class ObjectStore {
  readonly #credentials: SigningCredentials
  readonly #limits: Limits
  readonly #context: StoreContext & { readonly temp: TempFolder }
  readonly #buckets: Buckets
  readonly #server: Server
  /** Passes connections of a second place on to the server. */
  readonly #sideDoor: net.Server
  readonly #order = new ConnectionOrder()
  readonly #active = new Set<Promise<void>>()
  readonly #leaving = new AbortController()
  #scrubbing: Promise<unknown> = Promise.resolve()
  #releaseDirectory: () => Promise<void> = () => Promise.resolve()
  #starting: Promise<{ port: number }> | undefined
  #stopping: Promise<void> | undefined

  constructor(private readonly options: ObjectStoreOptions) {
    const { directory, accessKey, secretKey, region, now = Date.now, warn = () => undefined } = options
    const host = options.host ?? '127.0.0.1'
    const family = isIP(host) === 6 ? 'ipv6' : 'ipv4'
    if (isIP(host) === 0 || !LOOPBACK.check(host, family)) {
      throw new TypeError(`the object store listens on loopback addresses only, not on ${host}`)
    }
    if (accessKey === '' || secretKey === '' || region === '') {
      throw new TypeError('the object store needs an access key, a secret key and a region')
    }
    this.#credentials = { accessKey, secretKey, region }
    this.#limits = { region, maxObjectBytes: options.maxObjectBytes ?? 5 * 1024 ** 4 }
    const space = new FreeSpace(directory, options.minFreeBytes)
    this.#context = { temp: new TempFolder(join(directory, 'temp'), space), now, warn }
    this.#buckets = new Buckets(join(directory, 'buckets'), this.#context)
    this.#server = this.#createServer()
    this.#sideDoor = this.#createSideDoor()
  }

  /** Claims the directory, removes the leftovers of a crash, rebuilds the index, listens. @returns its port, or 0 */
  start(): Promise<{ port: number }> {
    return (this.#starting ??= this.#start())
  }

  /** Accepts no more connections, lets requests in flight finish until the deadline, then cuts them. */
  stop(): Promise<void> {
    return (this.#stopping ??= this.#stop())
  }

  /** Reads all objects, names the damaged ones, and gives checksums to those that version 0.1 stored. */
  scrub(): Promise<ScrubReport> {
    const { signal } = this.#leaving
    const pace = pacer(this.options.scrubBytesPerSecond ?? 32 << 20, signal)
    const work = () => new Scrub(this.#context, pace, signal).run(this.#buckets.all())
    const report = this.#scrubbing.then(work, work)
    this.#scrubbing = report
    return report
  }

  async #start(): Promise<{ port: number }> {
    const { directory } = this.options
    await mkdir(directory, { recursive: true, mode: 0o700 })
    this.#releaseDirectory = await claimDirectory(directory)
    try {
      await this.#context.temp.empty(this.#context.warn)
      await makeDirectory(join(directory, 'buckets'))
      await this.#buckets.recover()
      await this.#listen()
    } catch (error) {
      await this.#releaseDirectory()
      throw error
    }
    const { scrubTimes } = this.options
    const failed = (error: unknown): void => this.#context.warn('scrub failed', error)
    if (scrubTimes) void repeatScrub(scrubTimes, () => this.scrub(), failed, this.#leaving.signal)
    const address = (this.#sideDoor.listening ? this.#sideDoor : this.#server).address() as AddressInfo | string
    return { port: typeof address === 'string' ? 0 : address.port }
  }

  async #listen(): Promise<void> {
    const { host = '127.0.0.1', port, handle, socketPath } = this.options
    const places: (ListenOptions | object)[] = []
    if (socketPath !== undefined) {
      // Nobody listens there: this store has claimed the directory, and one that was killed leaves its socket behind.
      await rm(socketPath, { force: true })
      places.push({ path: socketPath })
    }
    if (handle !== undefined) places.push(handle)
    else if (port !== undefined) places.push({ host, port })
    const [first, second] = places
    await once(this.#server.listen(first), 'listening')
    if (second !== undefined) await once(this.#sideDoor.listen(second), 'listening')
  }

  async #stop(): Promise<void> {
    const started = await this.#starting?.then(
      () => true,
      () => false,
    )
    if (started !== true) return
    this.#leaving.abort()
    const closed = once(this.#server, 'close')
    this.#server.close()
    if (this.#sideDoor.listening) this.#sideDoor.close()
    const deadline = setTimeout(() => this.#server.closeAllConnections(), this.options.stopTimeoutMs ?? 5_000)
    try {
      while (this.#active.size > 0) await Promise.all(this.#active)
      this.#server.closeAllConnections()
      await closed
    } finally {
      clearTimeout(deadline)
    }
    await this.#scrubbing.catch(() => undefined)
    await this.#releaseDirectory()
  }

  #createServer(): Server {
    const idleTimeoutMs = this.options.idleTimeoutMs ?? 120_000
    const server = createServer({
      headersTimeout: HEADERS_TIMEOUT_MS,
      // A whole request has no limit, because it may be a large and slow upload. The idle deadline ends a stalled one.
      requestTimeout: 0,
      keepAliveTimeout: idleTimeoutMs,
      connectionsCheckingInterval: CONNECTION_CHECK_MS,
    })
    server.maxConnections = this.options.maxConnections ?? 512
    server.setTimeout(idleTimeoutMs)
    server.on('request', (incoming, response) => this.#accept(incoming, response, false))
    server.on('checkContinue', (incoming, response) => this.#accept(incoming, response, true))
    server.on('error', error => this.#context.warn('object store cannot listen', error))
    return server
  }

  #createSideDoor(): net.Server {
    const options = { allowHalfOpen: true, noDelay: true }
    const door = net.createServer(options, socket => this.#server.emit('connection', socket))
    door.maxConnections = this.#server.maxConnections
    return door.on('error', error => this.#context.warn('object store cannot listen', error))
  }

  #accept(incoming: IncomingMessage, response: ServerResponse, expectsContinue: boolean): void {
    if (this.#stopping) response.shouldKeepAlive = false
    incoming.on('error', () => undefined)
    response.on('error', () => undefined)
    const serve = (): Promise<void> =>
      this.#serve(incoming, response, expectsContinue).catch((error: unknown) => {
        this.#context.warn('request could not be answered', error)
        response.destroy()
      })
    const active = this.#order.run(incoming.socket, serve).finally(() => this.#active.delete(active))
    this.#active.add(active)
  }

  /** Settles when the answer is sent or the connection is closed. */
  async #serve(incoming: IncomingMessage, response: ServerResponse, expectsContinue: boolean): Promise<void> {
    const over = finished(response).catch(() => undefined)
    const reply = new Reply(randomBytes(8).toString('hex').toUpperCase(), incoming, response, expectsContinue)
    let path = '/'
    try {
      const target = parseTarget(incoming.url ?? '')
      path = target.path
      const verified = verifySignature(signedView(incoming, target), this.#credentials, this.#context.now())
      const request = new S3Request(incoming, target)
      await handlerOf(request)(new Operation(request, reply, this.#buckets, this.#limits, verified))
    } catch (error) {
      // A client that has left is not a fault, and cannot be answered. An answer that is cut for damage is a fault.
      if (incoming.socket.destroyed && !(error instanceof DamagedError)) return
      const answer = asS3Error(error)
      if (answer.status >= 500 && answer.code !== 'NotImplemented') {
        this.#context.warn(
          `request failed: ${incoming.method} ${path}: ${answer.code} ${answer.message}`,
          answer.cause ?? error,
        )
      }
      await reply.error(answer, path)
    }
    await over
  }
}

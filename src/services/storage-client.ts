import http from 'node:http'
import https from 'node:https'
import type { Client } from 'minio'
import { QueueFullError } from '../resources/queued-places.js'
import { Semaphore } from '../resources/semaphore.js'
import type { StorageAddress } from '../ipc/messages.js'
import { StorageCall, storageTransport, type CallLimits } from './storage-call.js'
import { StorageUnavailableError, storageError } from './storage-errors.js'

export interface CallOptions extends CallLimits {
  /** Whether to send the call again if the connection broke before the answer; default true. */
  repeatable?: boolean
}

/** Calls under way at once, and those that wait for one to end. */
const CALLS = 64
const WAITING_CALLS = 256
/** Shorter than servers keep an unused connection, so this end usually closes it first. */
const IDLE_MS = 4_000

/** The smallest part that S3 accepts, because every upload in progress has one part in memory. */
export const PART_BYTES = 5 * 1024 ** 2

/** Adds to the `minio` client: deadlines, a bound on the calls under way, and errors of one kind. */
export class StorageClient {
  readonly bucket: string
  readonly #semaphore = new Semaphore(CALLS, WAITING_CALLS)
  #client: Promise<Client> | undefined
  #answeredAt = -Infinity
  #agent: http.Agent | undefined

  constructor(private readonly address: StorageAddress) {
    this.bucket = address.bucket
  }

  /** @throws {StorageUnavailableError | ObjectNotFoundError} */
  async call<T>(options: CallOptions, work: (client: Client, call: StorageCall) => Promise<T>): Promise<T> {
    const client = await this.#load()
    const call = new StorageCall(options)
    const turn = this.#semaphore.enter(call.signal)
    try {
      const result = await call.run(async () => {
        await turn
        try {
          return await work(client, call)
        } catch (error) {
          if (options.repeatable === false || !call.hadStaleConnection || !isReset(error)) throw error
          return await work(client, call)
        }
      })
      this.#answeredAt = performance.now()
      return result
    } catch (error) {
      throw error instanceof QueueFullError
        ? new StorageUnavailableError('too many calls are waiting')
        : storageError(error)
    } finally {
      // Frees the place at once, even if the library continues a call that is over.
      turn.then(
        leave => leave(),
        () => undefined,
      )
    }
  }

  /** Loads the library ahead of the first call. That call reports a failure. */
  warmUp(): void {
    this.#load().catch(() => undefined)
  }

  /** Milliseconds since the last successful call. */
  get silentMs(): number {
    return performance.now() - this.#answeredAt
  }

  /** Closes unused connections. Those in use continue, but no call should begin after this. */
  close(): void {
    this.#agent?.destroy()
  }

  /** Loaded at the first use. The library takes a third of a second, which would delay the start of a worker. */
  #load(): Promise<Client> {
    this.#client ??= import('minio').then(minio => this.#create(minio.Client))
    return this.#client
  }

  #create(Constructor: typeof Client): Client {
    const { endpoint, socketPath, accessKey, secretKey, region } = this.address
    const { protocol, hostname, port } = new URL(endpoint)
    const useSSL = protocol === 'https:'
    // An agent takes every option of a connection; its type leaves most of them out.
    const options = { keepAlive: true, timeout: IDLE_MS, ...(socketPath && { socketPath }) }
    this.#agent = useSSL ? new https.Agent(options) : new http.Agent(options)
    return new Constructor({
      endPoint: hostname.replace(/^\[|\]$/g, ''),
      ...(port === '' ? {} : { port: Number(port) }),
      useSSL,
      accessKey,
      secretKey,
      region,
      pathStyle: true,
      partSize: PART_BYTES,
      transport: storageTransport as unknown as typeof http,
      transportAgent: this.#agent,
      retryOptions: { disableRetry: true },
    })
  }
}

function isReset(error: unknown): boolean {
  return error instanceof Error && ['ECONNRESET', 'EPIPE'].includes((error as NodeJS.ErrnoException).code ?? '')
}

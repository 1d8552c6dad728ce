import { AsyncLocalStorage } from 'node:async_hooks'
import http, { type ClientRequest, type IncomingMessage, type RequestOptions } from 'node:http'
import https from 'node:https'
import type { Readable } from 'node:stream'
import { StorageUnavailableError } from './storage-errors.js'

/** How long a call may take, in milliseconds. */
export interface CallLimits {
  /** The time that may pass without a byte in either direction. */
  silenceMs: number
  /** The total, including the wait in the queue. */
  deadlineMs: number
}

const CONNECT_MS = 1_000
/** Node reports a silence only after up to twice the time, because a write that has moved gets one more period. */
const SILENCE_STEPS = 5
/** How long the body of a download may make no progress while its reader reads. */
const STREAM_SILENCE_MS = 15_000

const current = new AsyncLocalStorage<StorageCall>()

/**
 * One call to the storage, with deadlines. The library has none and accepts no signal, but it accepts a `transport`
 * for its requests. Requests within `run` belong to this call and end with it.
 */
export class StorageCall {
  #request: ClientRequest | undefined
  #timer: NodeJS.Timeout | undefined
  #streaming = false
  #quietMs = 0
  #quietSeenAt = 0
  readonly #failure = new AbortController()
  readonly #stepMs: number
  /** Aborted when the call has failed by a deadline; its reason is the `StorageUnavailableError`. */
  readonly signal: AbortSignal = this.#failure.signal

  constructor(private readonly limits: CallLimits) {
    this.#stepMs = limits.silenceMs / SILENCE_STEPS
  }

  async run<T>(work: () => Promise<T>): Promise<T> {
    const overdue = new Promise<never>((_resolve, reject) => {
      this.signal.addEventListener('abort', () => reject(this.signal.reason as Error))
    })
    const { deadlineMs } = this.limits
    this.#timer = setTimeout(() => this.#fail(`the call was not done within ${deadlineMs} ms`), deadlineMs)
    try {
      return await Promise.race([current.run(this, work), overdue])
    } finally {
      clearTimeout(this.#timer)
    }
  }

  /** A connection that had served before, and was closed by the other end just when it was used again. */
  get hadStaleConnection(): boolean {
    return this.#request?.reusedSocket === true
  }

  /** From now on only a silence of the storage ends the call. */
  becomeStream(body: Readable): void {
    this.#streaming = true
    const { socket } = body as Readable & Pick<IncomingMessage, 'socket'>
    socket.setTimeout(STREAM_SILENCE_MS)
    body.once('close', () => socket.setTimeout(0))
  }

  adopt(request: ClientRequest): void {
    this.#request = request
    if (this.signal.aborted) {
      request.destroy(this.signal.reason as Error)
      return
    }
    this.#quietMs = 0
    request.setTimeout(this.#stepMs)
    request.on('timeout', () => this.#silent(request))
    request.once('socket', socket => {
      if (!socket.connecting) return
      const timer = setTimeout(() => this.#fail(`there was no connection within ${CONNECT_MS} ms`), CONNECT_MS)
      const clear = (): void => clearTimeout(timer)
      socket.once('connect', clear).once('close', clear)
    })
  }

  #silent(request: ClientRequest): void {
    const response = (request as ClientRequest & { res?: IncomingMessage }).res
    if (!this.#streaming) {
      if (this.#isQuietFor(this.limits.silenceMs))
        this.#fail(`the server was silent for ${this.limits.silenceMs} ms`, response)
      else request.socket?.setTimeout(this.#stepMs)
    } else if (response !== undefined && response.readableLength > 0) {
      // There are unread bytes: the storage waits for the reader, not the reader for the storage.
      request.socket?.setTimeout(STREAM_SILENCE_MS)
    } else this.#fail(`the server was silent for ${STREAM_SILENCE_MS} ms`, response)
  }

  /** Called at the end of every step in which nothing moved. */
  #isQuietFor(silenceMs: number): boolean {
    const now = performance.now()
    // Two consecutive silent steps are one step apart.
    if (now - this.#quietSeenAt > 1.5 * this.#stepMs) this.#quietMs = 0
    this.#quietSeenAt = now
    this.#quietMs += this.#stepMs
    return this.#quietMs >= silenceMs
  }

  #fail(reason: string, response?: IncomingMessage): void {
    this.#failure.abort(new StorageUnavailableError(reason)) // the first reason stays
    const error = this.signal.reason as Error
    response?.destroy(error)
    this.#request?.destroy(error)
  }
}

/**
 * Makes the library's requests. It intercepts answers that say "not now", because the library would retry
 * them, print that, and leave their connection open for ever.
 */
export const storageTransport = {
  request(options: RequestOptions, onResponse: (response: IncomingMessage) => void): ClientRequest {
    const send = options.protocol === 'https:' ? https.request : http.request
    const request = send(options, response => {
      const { statusCode = 500 } = response
      if (!isNotNow(statusCode)) onResponse(response)
      else {
        response.resume()
        request.emit('error', new StorageUnavailableError(`the server answered ${statusCode}`))
      }
    })
    current.getStore()?.adopt(request)
    return request
  },
}

function isNotNow(status: number): boolean {
  return status === 408 || status === 429 || status === 499 || (status >= 500 && status !== 501 && status !== 507)
}

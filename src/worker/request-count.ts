import type { ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import { DETACHED } from '#balancer/contract/detached-response.js'
import { LinkedList } from '#balancer/contract/linked-list.js'
import type { AppRequestCounts } from '../ipc/vitals.js'
import { ClientSocket } from './client-socket.js'
import type { OpenCalls } from './open-calls.js'
import { RequestNotes } from './request-notes.js'

/** Counts the requests of one worker. */
export class RequestCount {
  readonly #inFlight = new LinkedList<ServerResponse>()
  readonly #upgraded = new Set<Duplex>()
  #requests = 0
  #notes: RequestNotes | undefined
  #calls: OpenCalls | undefined

  get counts(): AppRequestCounts {
    const streaming = this.#inFlight.count(({ headersSent }) => headersSent)
    let upgraded = 0
    for (const { readableEnded } of this.#upgraded) if (!readableEnded) upgraded += 1
    return { inFlight: this.#inFlight.size, streaming, upgraded, requests: this.#requests }
  }

  /**
   * The request is in flight until its answer is closed, or taken from the app.
   * @param onClose called when it is closed, which saves a listener
   */
  begin(answer: ServerResponse, onClose?: () => void): void {
    this.#requests += 1
    this.#notes?.begin(answer)
    let slot = this.#beginCall(answer)
    const entry = this.#inFlight.add(answer)
    const over = (): void => {
      this.#inFlight.remove(entry)
      this.#calls?.end(slot)
      slot = -1
    }
    const closed = (): void => {
      over()
      onClose?.()
    }
    // Each comes once at most, and `once` costs more.
    answer.on('close', closed).on(DETACHED, over)
  }

  /** The requests that the app has are kept here from now on, for the stand-in (mesh mode). */
  keepIn(calls: OpenCalls): void {
    this.#calls = calls
  }

  /** The call of the app with the last request has returned. */
  returned(): void {
    this.#calls?.returned()
  }

  #beginCall({ req }: ServerResponse): number {
    if (this.#calls === undefined) return -1
    const { socket } = req
    if (!(socket instanceof ClientSocket)) return this.#calls.begin(req, -1)
    socket.owe(req.method)
    return this.#calls.begin(req, socket.file)
  }

  /** Each request is written down from now on, because a worker has failed (mesh mode). @param path of a file */
  noteAt(path: string): void {
    this.#notes ??= new RequestNotes(path)
    this.#notes.goOn()
  }

  /** An upgraded connection is a request that is over at once. The connection lasts until its client leaves. */
  beginUpgrade(socket: Duplex): void {
    this.#requests += 1
    this.#upgraded.add(socket)
    socket.once('close', () => this.#upgraded.delete(socket))
  }

  /** Closes the upgraded connections whose clients have left. An app need not end its side, and some never look. */
  closeLeftUpgrades(): void {
    for (const socket of this.#upgraded) if (socket.readableEnded) socket.destroy()
  }
}

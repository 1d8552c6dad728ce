import fs from 'node:fs'
import { hangSignPath } from '../../ipc/hang-sign.js'
import { NOTED_MS, readNotes, requestNotesPath, type NotedRequest } from '../../ipc/request-notes.js'
import type { Child } from '../processes/child.js'
import type { FatalRequestRecord } from './fatal-request-record.js'

/** The requests that a failed worker had; undefined if none were noted. */
export type RequestsThen = readonly NotedRequest[] | undefined

/**
 * Workers that hung or were ended by a fault in mesh mode, where only they know their requests. The stand-in of a worker
 * that hangs notes them in a file. A fault ends the stand-in as well, so from the first such end on, the workers
 * themselves make notes, which cost too much to be made all the time.
 */
export class FailedWorkers {
  #notedUntil = -Infinity
  /** Ids of those whose stand-in was asked. */
  readonly #asked = new Set<string>()

  constructor(
    private readonly socketOf: (workerId: string) => string,
    private readonly fatal: FatalRequestRecord,
    private readonly onFailed: (worker: Child, reason: string, requests: RequestsThen) => void,
  ) {}

  /** A worker hangs: its stand-in is to answer its clients, and to end it. @returns false if it cannot be told */
  askStandIn({ id }: Child): boolean {
    try {
      fs.writeFileSync(hangSignPath(this.socketOf(id)), '', { mode: 0o600 })
      this.#asked.add(id)
      return true
    } catch {
      return false
    }
  }

  /**
   * @param others the workers that serve
   * @returns whether a request of the worker's own clients has ended it
   */
  note(worker: Child, reason: string, others: readonly Child[], now = performance.now()): boolean {
    const requests = this.#requestsOf(worker)
    const called = requests?.find(({ isCalled, isOwn }) => isCalled && isOwn)
    if (called === undefined) this.onFailed(worker, reason, requests)
    else this.fatal.note({ ...called, targets: 1 }, Date.now())
    if (requests === undefined || now < this.#notedUntil) this.#noteFrom(now, others)
    return called !== undefined
  }

  /** A worker serves from now on. */
  begin(worker: Child, now = performance.now()): void {
    if (now < this.#notedUntil) worker.send({ type: 'note-requests' })
  }

  /** The worker has exited. */
  forget({ id }: Child): void {
    const socket = this.socketOf(id)
    if (this.#asked.delete(id)) for (const path of [hangSignPath(socket), requestNotesPath(socket)]) remove(path)
    else if (this.#notedUntil > 0) remove(requestNotesPath(socket))
  }

  #noteFrom(now: number, workers: readonly Child[]): void {
    this.#notedUntil = now + NOTED_MS
    for (const worker of workers) this.begin(worker, now)
  }

  #requestsOf({ id }: Child): RequestsThen {
    try {
      return readNotes(fs.readFileSync(requestNotesPath(this.socketOf(id)), 'latin1'))
    } catch {
      return undefined
    }
  }
}

function remove(path: string): void {
  fs.rmSync(path, { force: true })
}

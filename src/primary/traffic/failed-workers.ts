import fs from 'node:fs'
import { NOTED_MS, readNotes, requestNotesPath, type NotedRequest } from '../../ipc/request-notes.js'
import type { Child } from '../processes/child.js'
import type { FatalRequestRecord } from './fatal-request-record.js'

/** The requests that a failed worker had; undefined if none were noted. */
export type RequestsThen = readonly NotedRequest[] | undefined

/**
 * Workers that hung or were ended by a fault in mesh mode, where only they know their requests. After the first failure the
 * workers note these, because notes cost too much to make them always.
 */
export class FailedWorkers {
  #notedUntil = -Infinity

  constructor(
    private readonly socketOf: (workerId: string) => string,
    private readonly fatal: FatalRequestRecord,
    private readonly onFailed: (worker: Child, reason: string, requests: RequestsThen) => void,
  ) {}

  /** @param others the workers that serve */
  note(worker: Child, reason: string, others: readonly Child[], now = performance.now()): void {
    const requests = this.#requestsOf(worker)
    const called = requests?.find(({ isCalled }) => isCalled)
    if (called === undefined) this.onFailed(worker, reason, requests)
    else this.fatal.note({ ...called, targets: 1 }, Date.now())
    this.#notedUntil = now + NOTED_MS
    for (const other of others) this.begin(other, now)
  }

  /** A worker serves from now on. */
  begin(worker: Child, now = performance.now()): void {
    if (now < this.#notedUntil) worker.send({ type: 'note-requests' })
  }

  /** The worker has exited. */
  forget({ id }: Child): void {
    if (this.#notedUntil > 0) fs.rmSync(requestNotesPath(this.socketOf(id)), { force: true })
  }

  #requestsOf({ id }: Child): RequestsThen {
    try {
      return readNotes(fs.readFileSync(requestNotesPath(this.socketOf(id)), 'latin1'))
    } catch {
      return undefined
    }
  }
}

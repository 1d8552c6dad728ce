import fs from 'node:fs'
import type { ServerResponse } from 'node:http'
import { MAX_SLOTS, NOTED_MS, noteOf, noteState, SLOT_BYTES } from '../ipc/request-notes.js'
import { ClientSocket } from './client-socket.js'

/**
 * Writes down which requests the app has, once a fault has ended a worker in mesh mode: only that process knew them, and
 * it can tell nobody any more. The notes of a request take about five microseconds, so there are none before.
 */
export class RequestNotes {
  readonly #file: number | undefined
  readonly #free: number[] = []
  #slots = 0
  #isOn = false
  #end: NodeJS.Timeout | undefined

  /** @param path of a file that is made here; without it nothing is noted */
  constructor(path: string) {
    try {
      this.#file = fs.openSync(path, 'w', 0o600)
    } catch {
      this.#file = undefined
    }
  }

  /** A worker has failed. */
  goOn(): void {
    this.#isOn = true
    clearTimeout(this.#end)
    this.#end = setTimeout(() => (this.#isOn = false), NOTED_MS).unref()
  }

  /** The app is about to be called with the request of this answer. */
  begin(answer: ServerResponse): void {
    if (!this.#isOn || (this.#free.length === 0 && this.#slots >= MAX_SLOTS)) return
    const slot = this.#free.pop() ?? this.#slots++
    const { method = '', url = '' } = answer.req
    let isOver = false
    this.#write(slot, noteOf(method, url, answer.req.socket instanceof ClientSocket))
    // Runs when the call has returned.
    process.nextTick(() => {
      if (!isOver) this.#write(slot, noteState.open)
    })
    answer.once('close', () => {
      isOver = true
      this.#write(slot, noteState.over)
      this.#free.push(slot)
    })
  }

  /** A full disk must not fail a request. */
  #write(slot: number, text: string): void {
    if (this.#file === undefined) return
    try {
      fs.writeSync(this.#file, text, slot * SLOT_BYTES, 'latin1')
    } catch {
      this.#isOn = false
    }
  }
}

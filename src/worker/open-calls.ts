import type { IncomingMessage } from 'node:http'
import { MAX_SLOTS, pathOf } from '../ipc/request-notes.js'

/** A request that the app has, as the stand-in of the worker finds it. */
export interface OpenCall {
  method: string
  path: string
  /** The id of the request. */
  id: string
  /** The file number of its client's connection; -1 if another worker has passed it on. */
  file: number
  /** The app was being called with it. */
  isCalled: boolean
}

/** The methods that the edge lets pass. */
const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']

const BYTES_OF_ONE = 256
const NUMBERS_OF_ONE = BYTES_OF_ONE / 4
const MAX_ID = 48
const MAX_PATH = 184
const SHORT = 40
/** The first bytes of a slot are these numbers; then come the id and the path. */
const [STATE, FILE, METHOD, ID_LENGTH, PATH_LENGTH] = [0, 1, 2, 3, 4]
const ID_AT = 20
const PATH_AT = ID_AT + MAX_ID
const [FREE, CALLED, OPEN] = [0, 1, 2]

/**
 * The requests that the app of a worker has, in memory that its stand-in can read while the event loop hangs. A request
 * takes about 0.1 microseconds, much less than in a file.
 */
export class OpenCalls {
  readonly #bytes: Buffer
  readonly #numbers: Int32Array
  readonly #free: number[] = []
  #slots = 0
  /** The slot of the request that the app is being called with. */
  #called = -1

  constructor(readonly memory = new SharedArrayBuffer(MAX_SLOTS * BYTES_OF_ONE)) {
    this.#bytes = Buffer.from(memory)
    this.#numbers = new Int32Array(memory)
  }

  /**
   * The app is about to be called.
   * @param file the number of the client's connection; -1 if another worker has passed the request on
   * @returns its slot; -1 if none is left
   */
  begin({ method = '', url = '', headers }: Pick<IncomingMessage, 'method' | 'url' | 'headers'>, file: number): number {
    if (this.#free.length === 0 && this.#slots >= MAX_SLOTS) return -1
    const slot = this.#free.pop() ?? this.#slots++
    const id = headers['x-request-id']
    const first = slot * NUMBERS_OF_ONE
    this.#numbers[first + FILE] = file
    this.#numbers[first + METHOD] = METHODS.indexOf(method)
    this.#numbers[first + ID_LENGTH] = this.#write(typeof id === 'string' ? id : '', slot, ID_AT, MAX_ID)
    this.#numbers[first + PATH_LENGTH] = this.#write(pathOf(url), slot, PATH_AT, MAX_PATH)
    this.#numbers[first + STATE] = CALLED
    this.#called = slot
    return slot
  }

  /** The answer is complete, or the request was taken from the app. */
  end(slot: number): void {
    if (slot < 0) return
    this.#numbers[slot * NUMBERS_OF_ONE + STATE] = FREE
    if (this.#called === slot) this.#called = -1
    this.#free.push(slot)
  }

  /** All that is there. */
  read(): OpenCall[] {
    const calls: OpenCall[] = []
    for (let slot = 0; slot < MAX_SLOTS; slot += 1) {
      const at = slot * NUMBERS_OF_ONE
      const [state, file = -1, method = -1, idLength, pathLength] = this.#numbers.subarray(at, at + 5)
      if (state !== CALLED && state !== OPEN) continue
      const [id, path] = [this.#text(slot, ID_AT, idLength), this.#text(slot, PATH_AT, pathLength)]
      calls.push({ method: METHODS[method] ?? '?', path, id, file, isCalled: state === CALLED })
    }
    return calls
  }

  /** The call of the app with the last request has returned. */
  returned(): void {
    if (this.#called >= 0) this.#numbers[this.#called * NUMBERS_OF_ONE + STATE] = OPEN
    this.#called = -1
  }

  /** Most texts are so short that a call into Node costs more. */
  #write(text: string, slot: number, at: number, most: number): number {
    const begin = slot * BYTES_OF_ONE + at
    if (text.length > SHORT) return this.#bytes.write(text, begin, most, 'latin1')
    for (let i = 0; i < text.length; i += 1) this.#bytes[begin + i] = text.charCodeAt(i)
    return text.length
  }

  #text(slot: number, at: number, length = 0): string {
    const begin = slot * BYTES_OF_ONE + at
    return this.#bytes.toString('latin1', begin, begin + length)
  }
}

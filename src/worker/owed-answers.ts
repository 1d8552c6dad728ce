/** Connections with a higher file number are not noted. */
const MAX_FILE = 65_536

/** The answer that a connection is owed, one byte for each connection. */
export const owed = {
  nothing: 0,
  answer: 1,
  /** The answer to a HEAD: it has no body. */
  head: 2,
  /** The stand-in writes the answer, or has written it. */
  taken: 3,
} as const

export type Owed = (typeof owed)[keyof typeof owed]

/**
 * The connections whose clients wait for an answer of which nothing was written, by their file numbers. The memory is
 * shared with the stand-in: it may answer on a connection only while the worker's own thread does not.
 */
export class OwedAnswers {
  readonly #files: Uint8Array

  constructor(readonly memory = new SharedArrayBuffer(MAX_FILE)) {
    this.#files = new Uint8Array(memory)
  }

  /** A request waits for its answer on this connection. */
  owe(file: number, what: Owed): void {
    if (file >= 0 && file < MAX_FILE) Atomics.store(this.#files, file, what)
  }

  /**
   * The worker answers, or closes the connection. Never returns once the stand-in has begun to write there: it also ends
   * this process, and a second answer would be taken for the one to the client's next request.
   */
  settle(file: number, what: Owed): void {
    if (file < 0 || file >= MAX_FILE) return
    if (Atomics.compareExchange(this.#files, file, what, owed.nothing) === owed.taken) waitForEnd()
  }

  /** Takes all connections for the stand-in. @returns what each was owed */
  take(): Map<number, Owed> {
    const taken = new Map<number, Owed>()
    for (let file = 0; file < MAX_FILE; file += 1) {
      const what = this.#files[file] as Owed
      if (what === owed.nothing || what === owed.taken) continue
      // The worker may have settled it in between.
      if (Atomics.compareExchange(this.#files, file, what, owed.taken) === what) taken.set(file, what)
    }
    return taken
  }
}

function waitForEnd(): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)
}

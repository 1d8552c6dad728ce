import { Socket } from 'node:net'
import { owed, type Owed, type OwedAnswers } from './owed-answers.js'

type Written = (error?: Error | null) => void

/** A client's connection of mesh mode, which notes whether its client waits for an answer. */
export class ClientSocket extends Socket {
  /** The number of the open file; -1 if it is not known. */
  readonly file: number
  readonly #answers: OwedAnswers
  #owed: Owed = owed.nothing

  /** @param handle as it came with a message of the primary */
  constructor(handle: object & { fd?: number }, answers: OwedAnswers) {
    super(optionsOf(handle))
    this.file = handle.fd ?? -1
    this.#answers = answers
  }

  /** A request begins, or its answer does after "100 Continue". Called before anything of the answer itself is written. */
  owe(method: string | undefined): void {
    // The rest of the previous answer would be cut in two.
    if (this.#owed !== owed.nothing || this.writableLength > 0 || this.destroyed) return
    this.#owed = method === 'HEAD' ? owed.head : owed.answer
    this.#answers.owe(this.file, this.#owed)
  }

  override _write(chunk: unknown, encoding: BufferEncoding, callback: Written): void {
    this.#settle()
    super._write(chunk, encoding, callback)
  }

  override _writev(chunks: Array<{ chunk: unknown; encoding: BufferEncoding }>, callback: Written): void {
    this.#settle()
    super._writev?.(chunks, callback)
  }

  /** The number of the file may belong to another one at once. */
  override _destroy(error: Error | null, callback: (error: Error | null) => void): void {
    this.#settle()
    super._destroy(error, callback as Written)
  }

  #settle(): void {
    if (this.#owed === owed.nothing) return
    this.#answers.settle(this.file, this.#owed)
    this.#owed = owed.nothing
  }
}

// An app that looks finds what it finds under node.
Object.defineProperty(ClientSocket, 'name', { value: Socket.name })

/** Node's types leave out the handle. */
function optionsOf(handle: object): { allowHalfOpen: boolean; readable: boolean; writable: boolean } {
  return Object.assign({ handle }, { allowHalfOpen: true, readable: true, writable: true })
}

import type { Socket } from 'node:net'

/** More requests than a client sends ahead for any good reason. Each waiting one is in memory. */
const MAX_WAITING = 32

/**
 * Carries out the requests of one connection in their order. A client may send the next one before it has the answer to
 * the last one (RFC 9112, 9.3.2): if it writes a key twice, and then deletes it, the key is gone.
 */
export class ConnectionOrder {
  readonly #lines = new WeakMap<Socket, { last: Promise<void>; waiting: number }>()

  /** @param work never rejects. It is left out, and the connection cut, if too many are waiting. */
  async run(socket: Socket, work: () => Promise<void>): Promise<void> {
    const line = this.#lines.get(socket) ?? { last: Promise.resolve(), waiting: 0 }
    this.#lines.set(socket, line)
    if (line.waiting === MAX_WAITING) {
      socket.destroy()
      return
    }
    line.waiting++
    const before = line.last
    const mine = before.then(work)
    line.last = mine
    await before
    line.waiting--
    await mine
  }
}

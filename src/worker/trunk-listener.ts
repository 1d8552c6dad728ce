import { timingSafeEqual } from 'node:crypto'
import fs from 'node:fs'
import type { Server } from 'node:http'
import net, { type Socket } from 'node:net'
import { framesPathOf } from '#balancer/contract/frames.js'
import { TrunkEnd } from './trunk-end.js'

/** A balancer sends the key as soon as it has connected. */
const KEY_MS = 5_000

/** The worker's socket that takes frames, beside the one that takes HTTP. */
export class TrunkListener {
  readonly #server = net.createServer(socket => this.#arrived(socket))
  readonly #trunks = new Map<Socket, TrunkEnd>()
  #isRetired = false

  /**
   * @param key of this instance, which a balancer sends first
   * @param server the app's server now; undefined when it takes no connections
   * @param onRefused called for a connection that begins with another key
   */
  constructor(
    private readonly key: string,
    private readonly server: () => Server | undefined,
    private readonly onRefused: () => void = () => undefined,
  ) {}

  /** Resolves when balancers can connect. */
  start(socketPath: string): Promise<void> {
    const path = framesPathOf(socketPath)
    fs.rmSync(path, { force: true })
    process.on('exit', this.#flush)
    this.#server.once('close', () => process.off('exit', this.#flush))
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject).once('listening', resolve)
      // Exclusive: in a cluster worker any other listen would be made by the primary.
      this.#server.listen({ path, exclusive: true })
    })
  }

  /** Takes no new connections. Ends when the last one has closed. */
  retire(): void {
    if (this.#isRetired) return
    this.#isRetired = true
    this.#server.close()
    for (const trunk of this.#trunks.values()) trunk.retire()
  }

  /** Answers of the app leave, however the process ends. */
  readonly #flush = (): void => this.#trunks.forEach(trunk => trunk.flush())

  #arrived(socket: Socket): void {
    const trunk = new TrunkEnd(socket, this.server)
    const key = Buffer.from(`${this.key}\n`, 'latin1')
    let begin = Buffer.alloc(0)
    const late = setTimeout(() => socket.destroy(), KEY_MS)
    const onBegin = (bytes: Buffer): void => {
      begin = Buffer.concat([begin, bytes])
      if (begin.length < key.length) return
      clearTimeout(late)
      socket.off('data', onBegin)
      if (!timingSafeEqual(begin.subarray(0, key.length), key)) {
        this.onRefused()
        socket.destroy()
        return
      }
      socket.on('data', bytes => trunk.received(bytes))
      if (begin.length > key.length) trunk.received(begin.subarray(key.length))
    }
    socket.on('data', onBegin).on('error', () => undefined)
    socket.once('close', () => {
      clearTimeout(late)
      this.#trunks.delete(socket)
      trunk.lost()
    })
    this.#trunks.set(socket, trunk)
    if (this.#isRetired) trunk.retire()
  }
}

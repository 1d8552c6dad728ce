import { AsyncResource } from 'node:async_hooks'
import type { Duplex } from 'node:stream'
import { clientKey } from '#balancer/contract/client-key.js'

/** A piece that takes the app so long, in milliseconds, delays everybody else by that. */
const LONG_MS = 1
/** How long the app should take for one piece, in milliseconds. */
const PIECE_MS = 4
/** Smaller pieces would cost more than they are worth. */
const LEAST_BYTES = 512

/** A connection that gets some of its bytes in each turn. */
interface HeldReads {
  turn(): void
}

/**
 * Upgraded connections whose bytes keep the app busy, as a flood of small messages does. In each turn of the event loop one
 * connection of each client goes on. Without that, a client with fifty would have the app work on what all fifty have sent
 * before anybody else is served.
 */
export class PacedReads {
  /** By client, in the order of their turns. */
  readonly #lines = new Map<string, HeldReads[]>()
  #isScheduled = false
  /** As the app was found to work last, for connections that nothing is known of yet. */
  bytesPerMs = Infinity

  /** From now on what arrives on this connection is passed to the app in turns, if the app takes long for it. */
  pace(socket: Duplex, address: string): void {
    new PacedReader(socket, clientKey(address), this)
  }

  /** The connection continues in a turn of its client. */
  wait(reads: HeldReads, client: string): void {
    const line = this.#lines.get(client)
    if (line === undefined) this.#lines.set(client, [reads])
    else line.push(reads)
    this.#schedule()
  }

  #schedule(): void {
    if (this.#isScheduled) return
    this.#isScheduled = true
    setImmediate(() => this.#nextTurn())
  }

  #nextTurn(): void {
    this.#isScheduled = false
    const first = [...this.#lines].map(([client, line]) => [client, line, line.shift()] as const)
    for (const [client, line] of first) if (line.length === 0) this.#lines.delete(client)
    if (this.#lines.size > 0) this.#schedule()
    for (const [, , reads] of first) reads?.turn()
  }
}

/** `push` and `_read` are what a stream has for its source: the source here is the connection, held back in between. */
class PacedReader implements HeldReads {
  /** A turn is begun by another connection, whose context (`AsyncLocalStorage`) is none of this one's. */
  readonly #context = new AsyncResource('OutpostPacedReads')
  readonly #push: (chunk: unknown) => boolean
  readonly #read: (size: number) => void
  #bytesPerMs: number
  #waits = false
  /** Read, and not passed to the app. */
  #rest: Buffer | undefined
  #hasEnded = false
  /** The app asks for more. */
  #wanted: number | undefined

  constructor(
    private readonly socket: Duplex,
    private readonly client: string,
    private readonly all: PacedReads,
  ) {
    this.#push = socket.push.bind(socket)
    this.#read = socket._read.bind(socket)
    this.#bytesPerMs = all.bytesPerMs
    socket.push = (chunk: unknown) => this.#arrived(chunk)
    socket._read = size => {
      if (this.#waits) this.#wanted = size
      else this.#read(size)
    }
  }

  turn(): void {
    try {
      this.#context.runInAsyncScope(() => this.#takeTurn())
    } catch (error) {
      // The app's, and uncaught: it must not take the turns of the others.
      process.nextTick(() => {
        throw error
      })
    }
  }

  #takeTurn(): void {
    this.#waits = false
    const rest = this.#rest
    this.#rest = undefined
    if (rest !== undefined && !this.socket.destroyed) this.#pass(rest)
    if (!this.#isHeld) this.#goOn()
  }

  get #isHeld(): boolean {
    return this.#waits
  }

  #goOn(): void {
    if (this.socket.destroyed) return
    const wanted = this.#wanted
    this.#wanted = undefined
    if (this.#hasEnded) this.#push(null)
    else if (wanted !== undefined) this.#read(wanted)
  }

  /** @returns whether the connection may be read on */
  #arrived(chunk: unknown): boolean {
    if (!this.#waits) return chunk instanceof Uint8Array ? this.#pass(asBuffer(chunk)) : this.#push(chunk)
    if (chunk === null) this.#hasEnded = true
    else this.#rest = Buffer.concat([this.#rest ?? NONE, chunk as Uint8Array])
    return false
  }

  #pass(bytes: Buffer): boolean {
    const most = Math.max(LEAST_BYTES, this.#bytesPerMs * PIECE_MS)
    const piece = bytes.length > most ? bytes.subarray(0, most) : bytes
    const begun = performance.now()
    const mayGoOn = this.#push(piece)
    const ms = performance.now() - begun
    const isLong = ms >= LONG_MS
    if (isLong) this.#bytesPerMs = this.all.bytesPerMs = piece.length / ms
    else if (piece !== bytes) this.#bytesPerMs *= 2
    if (piece !== bytes) this.#rest = bytes.subarray(piece.length)
    else if (!isLong) return mayGoOn
    this.#waits = true
    this.all.wait(this, this.client)
    return false
  }
}

const NONE = Buffer.alloc(0)

function asBuffer({ buffer, byteOffset, byteLength }: Uint8Array): Buffer {
  return Buffer.from(buffer, byteOffset, byteLength)
}

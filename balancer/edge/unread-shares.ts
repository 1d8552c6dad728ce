import type { Socket } from 'node:net'
import type { ClientAccount } from '../ledger/client-account.js'
import { unpassedOf } from '../transports/answer-stream.js'
import { reset } from '../transports/reset.js'
import { responseInProgress } from './connection-refusals.js'
import type { Reader } from './reader.js'
import { peerKey, type Queues, type SystemQueues } from './system-queues.js'
import { takenFrom } from './taken-bytes.js'
import { relieve, type Unread } from './unread-answers.js'

export interface UnreadSharesOptions {
  /** Memory for all answers that are not read, in bytes. */
  unreadBytes: number
  /** How long a connection of a client over its share may make no progress. */
  unreadShareMs: number
  /** Less than this, over `unreadShareMs`, is no progress. */
  minBytesPerSecond: number
}

/** The open connections, and the client that reads from each. */
export interface Readers {
  sockets(): Iterable<Socket>
  readerOf(socket: Socket): Reader | undefined
  readerAt(address: string): Pick<Reader, 'account' | 'isProxy'>
}

interface MostUnread {
  most: number
  /** One for each account. */
  byReader: Iterable<[Pick<Reader, 'account' | 'isProxy'>, number]>
}

interface Progress {
  /** Bytes of its answers that had arrived, and when that was. */
  arrived: number
  movedAt: number
}

/** Some hundred megabytes can go out in a second, so this is short. It costs next to nothing while little is unread. */
const CHECK_MS = 100
/** The share of time in which the kernel's tables may be read. */
const BUSY = 0.1
/** While less than this part of the memory can be in use, nobody is at a share. */
const PART = 4
/** The largest size of the kernel's send buffer for one connection (tcp(7), tcp_wmem). */
const MAX_SEND_BUFFER = 4 * 1024 ** 2

/**
 * Bounds the memory for answers that are not read. Most of it is in the kernel. A client over its share gets no more of it,
 * and its connections that make no progress are cut.
 */
export class UnreadShares {
  #timer: NodeJS.Timeout | undefined
  #isAsking = false
  #askAgainAt = 0
  #progress = new Map<Socket, Progress>()
  /** The bytes that had arrived when the kernel's tables were last read. */
  readonly #arrived = new WeakMap<Socket, number>()
  #held = new Set<ClientAccount>()
  /** The bytes sent on connections that have closed since, and how many of these the kernel had at the last reading. */
  #ofClosed = new Map<ClientAccount, [Pick<Reader, 'account' | 'isProxy'>, number]>()

  constructor(
    private readonly readers: Readers,
    private readonly system: Pick<SystemQueues, 'memory' | 'queues' | 'close'>,
    private readonly options: UnreadSharesOptions,
  ) {}

  start(): void {
    const every = Math.min(CHECK_MS, this.options.unreadShareMs / PART)
    this.#timer ??= setInterval(() => this.#check(), every).unref()
  }

  stop(): void {
    clearInterval(this.#timer)
    this.#timer = undefined
    this.#calmDown()
    // A file must not be closed while it is being read.
    if (!this.#isAsking) this.system.close()
  }

  /** A connection has closed. The kernel sends the bytes that it has of it, however long that takes. */
  left(socket: Socket, reader: Reader): void {
    if (this.#timer === undefined) return
    const bytes = socket.bytesWritten - (this.#arrived.get(socket) ?? 0)
    this.#ofClosed.set(reader.account, [reader, (this.#ofClosed.get(reader.account)?.[1] ?? 0) + bytes])
  }

  #check(): void {
    const { unreadBytes } = this.options
    const some = unreadBytes / PART
    const memory = this.system.memory()
    if (memory !== undefined && memory < some) return this.#calmDown()
    const { most, byReader } = this.#mostUnread()
    if (memory !== undefined && most < some) return this.#calmDown()
    // A client that could be over the share is held until the kernel's tables show how much of it is unread.
    if (memory !== undefined) {
      const share = Math.max(unreadBytes / 2, unreadBytes - most)
      for (const [{ account, isProxy }, bytes] of byReader) {
        if (!isProxy && bytes > share && !this.#held.has(account)) this.#hold(account, NONE, true)
      }
    }
    if (!this.#isAsking && performance.now() >= this.#askAgainAt) void this.#relieve()
  }

  /** The most that can be unread: the bytes that the kernel had at the last reading, and those that it took since. */
  #mostUnread(): MostUnread {
    const byAccount = new Map(this.#ofClosed)
    let most = 0
    for (const [, bytes] of this.#ofClosed.values()) most += bytes
    for (const socket of this.readers.sockets()) {
      const bytes = pendingOn(socket) + takenFrom(socket) - (this.#arrived.get(socket) ?? 0)
      const reader = bytes === 0 ? undefined : this.readers.readerOf(socket)
      if (reader === undefined) continue
      most += bytes
      byAccount.set(reader.account, [reader, (byAccount.get(reader.account)?.[1] ?? 0) + bytes])
    }
    return { most, byReader: byAccount.values() }
  }

  async #relieve(): Promise<void> {
    const { unreadBytes, unreadShareMs } = this.options
    const begun = performance.now()
    // Before the tables are read: bytes that the kernel takes meanwhile have certainly not arrived.
    const taken = new Map([...this.readers.sockets()].map(socket => [socket, takenFrom(socket)]))
    const closedBefore = this.#ofClosed
    this.#ofClosed = new Map()
    this.#isAsking = true
    const queues = await this.system.queues().catch(() => undefined)
    this.#isAsking = false
    if (this.#timer === undefined) return this.system.close()
    const now = performance.now()
    this.#askAgainAt = now + (now - begun) * (1 / BUSY - 1)
    const unread = this.#measure(taken, queues?.ofConnections, now)
    unread.push(...this.#closedIn(queues, closedBefore))
    const { room, cut } = relieve(unread, unreadBytes, unreadShareMs)
    // Without the kernel's tables, every reader looks like one that does not read.
    if (queues !== undefined) this.#holdAll(room, unread)
    for (const socket of cut) {
      this.#progress.delete(socket)
      reset(socket)
    }
  }

  #measure(
    takenBefore: ReadonlyMap<Socket, number>,
    queues: Map<string, number> | undefined,
    now: number,
  ): Array<Unread<Socket, ClientAccount>> {
    const { minBytesPerSecond, unreadShareMs } = this.options
    const least = Math.max(1, (minBytesPerSecond * unreadShareMs) / 1_000)
    const progress = new Map<Socket, Progress>()
    const unread: Array<Unread<Socket, ClientAccount>> = []
    for (const [socket, taken] of takenBefore) {
      const reader = this.readers.readerOf(socket)
      if (reader === undefined || socket.destroyed) continue
      const pending = pendingOn(socket)
      const told = toldOf(reader, queues)
      // Without the kernel's tables, the bytes that it has taken are the best measure of progress.
      const arrived = taken - (told ?? 0)
      const queued = told ?? (pending === 0 ? 0 : Math.min(taken, MAX_SEND_BUFFER))
      this.#arrived.set(socket, told === undefined ? 0 : arrived)
      if (pending + queued === 0) continue
      const seen = this.#progress.get(socket)
      // A reader that has read all of the kernel's bytes makes progress.
      const hasMoved = seen === undefined || queued === 0 || arrived - seen.arrived >= least
      const moved = hasMoved ? { arrived, movedAt: now } : seen
      progress.set(socket, moved)
      const { account: client, isProxy } = reader
      unread.push({ connection: socket, client, isProxy, pending, queued, stillMs: now - moved.movedAt })
    }
    this.#progress = progress
    return unread
  }

  /** The kernel's bytes of closed connections. They count until the tables are read again. */
  #closedIn(
    queues: Queues | undefined,
    before: ReadonlyMap<ClientAccount, unknown>,
  ): Array<Unread<Socket, ClientAccount>> {
    const unread: Array<Unread<Socket, ClientAccount>> = []
    for (const [address, queued] of queues?.ofClosed ?? []) {
      const reader = this.readers.readerAt(address)
      // Unknown addresses are left out: they may be clients of another program.
      if (!before.has(reader.account)) continue
      const { account, isProxy } = reader
      this.#ofClosed.set(account, [reader, (this.#ofClosed.get(account)?.[1] ?? 0) + queued])
      unread.push({ connection: undefined, client: account, isProxy, pending: 0, queued, stillMs: 0 })
    }
    return unread
  }

  /**
   * Holds the connections that are not read. If a client is over its share, its other connections are held as well, except
   * for as many as there is room for. Of those that have read all they were sent, the one that waits longest goes first, and
   * short answers always go out to them.
   */
  #holdAll(room: ReadonlyMap<ClientAccount, number>, unread: readonly Unread<Socket, ClientAccount>[]): void {
    const busy = new Set(unread.filter(({ queued }) => queued > 0).map(({ connection }) => connection))
    const proxies = new Set(unread.filter(({ isProxy }) => isProxy).map(({ client }) => client))
    for (const account of this.#held) if (!room.has(account)) account.releaseAnswers()
    this.#held.clear()
    for (const [account, bytes] of room) {
      const waiting = [...account.heldSockets, ...account.sockets].filter(socket => !busy.has(socket))
      if (proxies.has(account)) {
        // Clients behind a proxy must not wait for others that do not read.
        this.#hold(account, new Set(waiting), false)
        continue
      }
      const candidates = waiting.filter(socket => socket.writableLength > 0)
      const short = candidates.filter(isShort)
      const long = new Set(candidates.filter(socket => !isShort(socket)))
      this.#hold(account, new Set([...long].slice(0, Math.floor(bytes / MAX_SEND_BUFFER))), true)
      for (const socket of short) account.passOn(socket)
    }
  }

  #hold(account: ClientAccount, free: ReadonlySet<Socket>, withNew: boolean): void {
    account.holdAnswers(free, withNew)
    this.#held.add(account)
  }

  #calmDown(): void {
    for (const account of this.#held) account.releaseAnswers()
    this.#held.clear()
    this.#progress.clear()
    this.#ofClosed.clear()
  }
}

const NONE: ReadonlySet<Socket> = new Set()

/** The bytes in this process: those written, and those that came from the target after that. */
function pendingOn(socket: Socket): number {
  return socket.writableLength + unpassedOf(responseInProgress(socket))
}

/** All of an answer that takes little memory, however many connections have one. */
function isShort(socket: Socket): boolean {
  return socket.writableLength <= SHORT_BYTES && responseInProgress(socket)?.writableEnded !== false
}

const SHORT_BYTES = 64 * 1024

/** The kernel's bytes for this reader; undefined if they are not known. */
function toldOf({ peer }: Reader, queues: Map<string, number> | undefined): number | undefined {
  return queues === undefined || peer.port === 0 ? undefined : (queues.get(peerKey(peer.address, peer.port)) ?? 0)
}

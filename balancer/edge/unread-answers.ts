import { excessOf } from '../contract/dynamic-threshold.js'

/** The bytes of answers on a connection that its client has not read. */
export interface Unread<Connection, Client> {
  /** Undefined for closed connections: the kernel still sends their bytes, and they cannot be cut. */
  connection: Connection | undefined
  client: Client
  /** A proxy reads for many clients, so it has no share. */
  isProxy: boolean
  /** Bytes in this process. */
  pending: number
  /** Bytes in the kernel's send buffer. */
  queued: number
  /** The time since bytes of it last arrived, in milliseconds. */
  stillMs: number
}

export interface Relief<Connection, Client> {
  /** Clients over their share, with the bytes that the kernel may take for them in addition. */
  room: Map<Client, number>
  /** Connections to cut. */
  cut: Connection[]
}

interface Held {
  bytes: number
  queued: number
}

/**
 * Decides about answers that are not read. A client over its share gets no more into the kernel's memory than there is
 * room for; a client that reads loses only a moment by this. If an answer makes no progress for some time, its connection
 * is cut, until the rest is within the share. Those without progress for the longest time come first. Connections of
 * proxies are not cut: proxies have limits of their own for clients that make no progress, and many clients that pause
 * would otherwise lose what they watch.
 * @param capacity memory for all of them
 * @param patienceMs how long a connection may make no progress
 */
export function relieve<Connection, Client>(
  unread: readonly Unread<Connection, Client>[],
  capacity: number,
  patienceMs: number,
): Relief<Connection, Client> {
  const ofProxies = sumsOf(unread.filter(({ isProxy }) => isProxy))
  const ofClients = sumsOf(unread.filter(({ isProxy }) => !isProxy))
  const byProxies = [...ofProxies.values()].reduce((sum, { bytes }) => sum + bytes, 0)
  const bytes = new Map([...ofClients].map(([client, held]) => [client, held.bytes]))
  const excess = excessOf(bytes, Math.max(capacity / 2, capacity - byProxies))
  for (const [proxy, held] of ofProxies) {
    if (byProxies > capacity) excess.set(proxy, held.bytes * (1 - capacity / byProxies))
  }
  const room = new Map<Client, number>()
  for (const [client, over] of excess) {
    const held = ofClients.get(client) ?? ofProxies.get(client)
    if (held !== undefined) room.set(client, Math.max(0, held.bytes - over - held.queued))
  }
  const cut: Connection[] = []
  const longestFirst = unread.filter(({ stillMs }) => stillMs >= patienceMs).sort((a, b) => b.stillMs - a.stillMs)
  for (const { connection, client, isProxy, pending, queued } of longestFirst) {
    const left = excess.get(client) ?? 0
    if (left <= 0 || isProxy || connection === undefined) continue
    excess.set(client, left - pending - queued)
    cut.push(connection)
  }
  return { room, cut }
}

function sumsOf<Client>(unread: readonly Unread<unknown, Client>[]): Map<Client, Held> {
  const sums = new Map<Client, Held>()
  for (const { client, pending, queued } of unread) {
    const sum = sums.get(client) ?? { bytes: 0, queued: 0 }
    sum.bytes += pending + queued
    sum.queued += queued
    sums.set(client, sum)
  }
  return sums
}

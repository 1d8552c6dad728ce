import { excessOf } from '../contract/dynamic-threshold.js'

/** What a connection has of answers that its client has not read, in bytes. */
export interface Unread<Connection, Client> {
  /** Undefined for those that are closed already, which the system sends to their end: they cannot be cut. */
  connection: Connection | undefined
  client: Client
  /** A proxy reads for many clients, so it has no share. */
  isProxy: boolean
  /** In this process. */
  pending: number
  /** In the system. */
  queued: number
  /** How long nothing of it has arrived, in milliseconds. */
  stillMs: number
}

export interface Relief<Connection, Client> {
  /** Clients over their share, with what the system may take for them beside what it has, in bytes. */
  room: Map<Client, number>
  /** Connections to cut. */
  cut: Connection[]
}

interface Held {
  bytes: number
  queued: number
}

/**
 * What is to be done about answers that are not read. Who is over its share gets no more into the system's memory than
 * there is room, which costs a client that reads but a moment. If nothing of an answer arrives for some time, its
 * connection is cut, the longest still first, until the rest is within the share. Of proxies nothing is cut: they have
 * limits of their own for clients that stand still, and many clients that pause would otherwise lose what they watch.
 * @param capacity memory for all of them
 * @param patienceMs how long a connection may stand still
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

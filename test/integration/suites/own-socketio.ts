import type { Test } from 'tap'
import { ChatClient, type Transport } from '../../helpers/chat-client.js'
import { ask } from '../../helpers/client.js'
import { Cluster } from '../../helpers/cluster.js'
import { until } from '../../helpers/deadline.js'
import { MODES, type Mode } from '../../helpers/modes.js'
import { strangers } from '../../helpers/plain-node.js'

export const PATHS = ['/socket.io/', '/live/feed']
const TRANSPORTS: Record<string, Transport[]> = {
  'default transports': ['polling', 'websocket'],
  'polling alone': ['polling'],
}
const CLIENTS = 8

/** A reload would take as long as a poll, if it waited for one. */
const POLL_MS = 20_000

/** A drain that waits for a client fails its test by the test's own deadline. */
export function startSocketIo(t: Test, mode: Mode, workers: number): Promise<Cluster> {
  const env = { APP: 'socketio.cjs', WORKERS: String(workers), BALANCERS: MODES[mode], DRAIN_TIMEOUT_MS: '600000' }
  return Cluster.start(t, env, undefined, strangers)
}

async function who(client: ChatClient): Promise<{ pid: number; id: string }> {
  return (await client.socket.emitWithAck('who')) as { pid: number; id: string }
}

async function allUpgraded(clients: readonly ChatClient[]): Promise<void> {
  await until(() => clients.every(({ transport }) => transport === 'websocket'), 'all to be upgraded')
}

/** Clients over every transport find their sessions, at each of these paths. */
export async function clientsStay(t: Test, cluster: Cluster, workers: number, paths = PATHS): Promise<void> {
  const seen = new Set<string>()
  await until(async () => seen.add((await ask(cluster.url, '/')).text).size === workers, 'all workers to serve')
  for (const path of paths) {
    for (const [name, transports] of Object.entries(TRANSPORTS)) {
      await t.test(`clients of ${path} with ${name} stay connected`, async t => {
        const open = (): ChatClient => ChatClient.open(t, cluster.url, transports, { path })
        const clients = Array.from({ length: CLIENTS }, open)
        for (const client of clients) await client.connected()
        if (transports.includes('websocket')) await allUpgraded(clients)
        const seen = await Promise.all(clients.map(who))
        t.strictSame(
          seen.map(({ id }) => id),
          clients.map(({ socket }) => socket.id),
        )
        t.ok(new Set(seen.map(({ pid }) => pid)).size > 1, 'over several workers')
        for (let i = 0; i < 3; i += 1) {
          const echoes = await Promise.all(clients.map(({ socket }) => socket.emitWithAck('echo', `schön ${i}`)))
          t.strictSame(new Set(echoes), new Set([`schön ${i}`]))
        }
        t.strictSame(
          clients.flatMap(({ errors, disconnects }) => [...errors, ...disconnects]),
          [],
        )
        for (const { socket } of clients) socket.disconnect()
      })
    }
  }
}

/** Asks as a client of Socket.IO 2 does. */
export async function oldClientsAreNamed(t: Test, cluster: Cluster): Promise<void> {
  await t.test('a client of Socket.IO 2 is named in the log once', async t => {
    const words = (): string[] => cluster.lines.filter(line => /Socket\.IO 1 or 2 polls/.test(line))
    // One worker alone loses no session, so the word comes once the second takes part.
    await until(async () => {
      await ask(cluster.url, '/socket.io/?EIO=3&transport=polling')
      return words().length > 0
    }, 'the word in the log')
    t.match(words(), [/STICKY=cookie/])
    for (let i = 0; i < 6; i += 1) await ask(cluster.url, '/socket.io/?EIO=3&transport=polling')
    t.equal(words().length, 1)
  })
}

/** Reloads and stops the cluster. */
export async function reloadMovesClients(t: Test, cluster: Cluster, workers: number): Promise<void> {
  await t.test('a reload does not wait for clients, and they go to the new workers', async t => {
    const clients = Array.from({ length: CLIENTS }, (_, i) => {
      return ChatClient.open(t, cluster.url, i % 2 === 0 ? ['polling'] : ['polling', 'websocket'])
    })
    for (const client of clients) await client.connected()
    await allUpgraded(clients.filter((_, i) => i % 2 === 1))
    const before = new Set((await Promise.all(clients.map(who))).map(({ pid }) => pid))
    const begun = performance.now()
    await cluster.reload()
    await cluster.has('worker', workers, [...before])
    t.ok(performance.now() - begun < POLL_MS)
    // A client that polls learns with its next poll that its session is over, and seems to be connected until then.
    const hasMoved = async (client: ChatClient): Promise<boolean> => {
      if (!client.socket.connected) return false
      const answer = await who(client).catch(() => undefined)
      return answer !== undefined && !before.has(answer.pid)
    }
    for (const client of clients) await until(() => hasMoved(client), 'a client to be at a new worker')
    const stopped = performance.now()
    t.match(await cluster.stop(), { code: 0 })
    t.ok(performance.now() - stopped < POLL_MS / 2, 'nor does a stop')
  })
}

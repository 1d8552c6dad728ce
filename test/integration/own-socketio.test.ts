import t from 'tap'
import { ChatClient, type Transport } from '../helpers/chat-client.js'
import { ask } from '../helpers/client.js'
import { Cluster } from '../helpers/cluster.js'
import { until } from '../helpers/deadline.js'
import { strangers } from '../helpers/plain-node.js'
import { MODES } from '../helpers/modes.js'

// Most of the time is spent waiting, so two tests run at once.
t.jobs = 2

const PATHS = ['/socket.io/', '/live/feed']
const TRANSPORTS: Record<string, Transport[]> = {
  'default transports': ['polling', 'websocket'],
  'polling alone': ['polling'],
}
const CLIENTS = 12

/** A reload would take as long as a poll, if it waited for one. */
const POLL_MS = 20_000

async function who(client: ChatClient): Promise<{ pid: number; id: string }> {
  return (await client.socket.emitWithAck('who')) as { pid: number; id: string }
}

for (const [mode, BALANCERS] of Object.entries(MODES)) {
  void t.test(`clients of an app's own Socket.IO stay connected over many workers, in ${mode}`, async t => {
    const cluster = await Cluster.start(t, { APP: 'socketio.cjs', WORKERS: '3', BALANCERS }, undefined, strangers)
    const workers = new Set<string>()
    await until(async () => workers.add((await ask(cluster.url, '/')).text).size === 3, 'all workers to serve')
    for (const path of PATHS) {
      for (const [name, transports] of Object.entries(TRANSPORTS)) {
        await t.test(`clients of ${path} with ${name} stay connected`, async t => {
          const open = (): ChatClient => ChatClient.open(t, cluster.url, transports, { path })
          const clients = Array.from({ length: CLIENTS }, open)
          for (const client of clients) await client.connected()
          if (transports.includes('websocket')) {
            await until(() => clients.every(({ transport }) => transport === 'websocket'), 'all to be upgraded')
          }
          const seen = await Promise.all(clients.map(who))
          t.strictSame(
            seen.map(({ id }) => id),
            clients.map(({ socket }) => socket.id),
          )
          t.ok(new Set(seen.map(({ pid }) => pid)).size > 1, 'over several workers')
          for (let i = 0; i < 5; i += 1) {
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
    t.match(await cluster.stop(), { code: 0 })
  })

  void t.test(`a reload does not wait for clients, and they go to the new workers, in ${mode}`, async t => {
    // A drain that waits for a client fails the test by its own deadline.
    const env = { APP: 'socketio.cjs', WORKERS: '2', BALANCERS, DRAIN_TIMEOUT_MS: '600000' }
    const cluster = await Cluster.start(t, env, undefined, strangers)
    const clients = Array.from({ length: CLIENTS }, (_, i) => {
      return ChatClient.open(t, cluster.url, i % 2 === 0 ? ['polling'] : ['polling', 'websocket'])
    })
    for (const client of clients) await client.connected()
    const upgraded = clients.filter((_, i) => i % 2 === 1)
    await until(() => upgraded.every(({ transport }) => transport === 'websocket'), 'half of them to be upgraded')
    const before = new Set((await Promise.all(clients.map(who))).map(({ pid }) => pid))
    const begun = performance.now()
    await cluster.reload()
    await cluster.has('worker', 2, [...before])
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

  void t.test(`a client of Socket.IO 2 gets a word in the log, once, in ${mode}`, async t => {
    const cluster = await Cluster.start(t, { APP: 'socketio.cjs', WORKERS: '2', BALANCERS }, undefined, strangers)
    const told = (): boolean => cluster.lines.some(line => /Socket\.IO 1 or 2 polls.*STICKY=cookie/.test(line))
    // One worker alone loses no session, so the word comes once the second takes part.
    await until(async () => {
      await ask(cluster.url, '/socket.io/?EIO=3&transport=polling')
      return told()
    }, 'the word in the log')
    for (let i = 0; i < 6; i += 1) await ask(cluster.url, '/socket.io/?EIO=3&transport=polling')
    t.match(await cluster.stop(), { code: 0 })
    t.equal(cluster.lines.filter(line => /Socket\.IO 1 or 2 polls/.test(line)).length, 1)
  })
}

import type { Test } from 'tap'
import { ChatClient, clientsOnAllWorkers } from '../../helpers/chat-client.js'
import { ask } from '../../helpers/client.js'
import type { Cluster } from '../../helpers/cluster.js'
import { until } from '../../helpers/deadline.js'

/** The promises of realtime, on a cluster of any mode. Stops the cluster. */
export async function realtimeSuite(t: Test, cluster: Cluster, workers: number, sessions = 50): Promise<void> {
  await t.test('a message reaches every client of every worker over both transports', async t => {
    const clients = await clientsOnAllWorkers(t, cluster.url, workers)
    t.strictSame(new Set(clients.map(({ transport }) => transport)), new Set(['polling', 'websocket']))
    for (const [index, client] of clients.entries()) await client.say({ from: index, text: 'schöne Grüße ✓' })
    for (const client of clients) {
      for (const index of clients.keys()) await client.receives({ from: index, text: 'schöne Grüße ✓' })
      t.equal(client.messages.length, clients.length, 'each once')
    }
  })

  await t.test('a client that begins with polling moves on to a WebSocket at the same worker', async t => {
    const clients = Array.from({ length: 12 }, () => ChatClient.open(t, cluster.url, ['polling', 'websocket']))
    await until(() => clients.every(({ transport }) => transport === 'websocket'), 'all to be upgraded', 20_000)
    await clients[0]!.say('after the upgrade')
    for (const client of clients) await client.receives('after the upgrade')
    t.strictSame(clients.flatMap(troubleOf), [])
  })

  await t.test(`${sessions} polling sessions stay at their workers`, async t => {
    const clients = Array.from({ length: sessions }, () => ChatClient.open(t, cluster.url, ['polling']))
    for (const client of clients) await client.connected()
    t.equal(new Set(clients.map(({ worker }) => worker)).size, workers, 'over all workers')
    const speakers = clients.filter((_client, index) => index % (sessions / 10) === 0)
    await Promise.all(speakers.map((client, index) => client.say(index)))
    for (const client of clients) for (const index of speakers.keys()) await client.receives(index)
    t.strictSame(clients.flatMap(troubleOf), [])
  })

  await t.test('pages of another origin are refused', async t => {
    for (const origin of ['http://evil.example', 'null', 'https://127.0.0.1']) {
      const poll = await ask(cluster.url, `${PATH}polling`, { headers: { origin } })
      t.equal(poll.status, 403)
      t.match(poll.text, /ORIGIN_REFUSED/)
      t.equal((await ask(cluster.url, `${PATH}websocket`, { headers: { ...UPGRADE, origin } })).status, 403)
    }
    t.equal((await ask(cluster.url, `${PATH}polling`, { headers: { origin: cluster.url } })).status, 200)
  })

  await t.test('a session id of a missing worker is unknown', async t => {
    const answer = await ask(cluster.url, `${PATH}polling&sid=99.aaaaaaaaaaaaaaaaaaaa`)
    t.equal(answer.status, 400)
    t.match(answer.text, /Session ID unknown/)
  })

  await t.test('the clients of a killed worker reconnect by themselves', async t => {
    const clients = await clientsOnAllWorkers(t, cluster.url, workers)
    const before = clients.map(({ worker }) => worker)
    const killed = cluster.kill('worker')
    await cluster.has('worker', workers, [killed])
    await comeBack(clients, before)
    await clients[0]!.say('still there?')
    for (const client of clients) await client.receives('still there?')
  })

  await t.test('a draining worker moves its clients to others and exits', async t => {
    const clients = await clientsOnAllWorkers(t, cluster.url, workers)
    const before = clients.map(({ worker }) => worker)
    const drained = cluster.kill('worker', 'SIGTERM')
    await cluster.has('worker', workers, [drained])
    await comeBack(clients, before)
    const moved = clients.filter((client, index) => client.disconnects.length > 0 && client.worker !== before[index])
    t.strictSame(new Set(moved.map(({ transport }) => transport)), new Set(['polling', 'websocket']))
    await clients[0]!.say('moved')
    for (const client of clients) await client.receives('moved')
  })

  await t.test('a stop does not wait for polls', async t => {
    const clients = await clientsOnAllWorkers(t, cluster.url, workers)
    t.equal((await cluster.stop()).code, 0)
    // In both cases the client reconnects by itself. After an explicit disconnect it would not.
    for (const client of clients) t.match(client.disconnects[0], /^transport (close|error)$/)
  })
}

const PATH = '/socket.io/?EIO=4&transport='
const UPGRADE = {
  connection: 'Upgrade',
  upgrade: 'websocket',
  'sec-websocket-version': '13',
  'sec-websocket-key': 'AAAAAAAAAAAAAAAAAAAAAA==',
}

/** Waits until one of the workers of `before` has lost all its clients, and every client is connected. */
async function comeBack(clients: readonly ChatClient[], before: readonly string[]): Promise<void> {
  function areDone(): boolean {
    const lost = clients.map(({ disconnects }) => disconnects.length > 0)
    const leftBehind = new Set(before.filter((_worker, index) => !lost[index]))
    return before.some(worker => !leftBehind.has(worker)) && clients.every(({ socket }) => socket.connected)
  }
  await until(areDone, 'all clients of a worker to come back', 20_000)
}

function troubleOf({ disconnects, errors }: ChatClient): string[] {
  return [...disconnects, ...errors]
}

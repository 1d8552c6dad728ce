import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { WebSocket } from 'ws'
import { ask } from '../helpers/client.js'
import { ChatClient } from '../helpers/chat-client.js'
import { Cluster } from '../helpers/cluster.js'
import { until } from '../helpers/deadline.js'
import { PoliteClient, sawOf } from '../helpers/polite-client.js'
import { MODES } from '../helpers/modes.js'

const TRUST = { 'TRUST_PROXY off': '0', 'TRUST_PROXY=1': '1' }
const SETTINGS = Object.entries(MODES).flatMap(([mode, balancers]) =>
  Object.entries(TRUST).map(([trust, proxies]) => [mode, balancers, trust, proxies] as const),
)
const ATTACKER = '127.0.0.2'
const HANDSHAKE = '/socket.io/?EIO=4&transport=polling'
const HANDSHAKES = 10_000
const AT_ONCE = 50
const SPEAKERS = 430
/** The pause between two messages of a speaker, and before it comes back. */
const SPEAK_MS = 20
const RETURN_MS = 1_000
const HELD_MS = 20_000

for (const [mode, BALANCERS, trust, TRUST_PROXY] of SETTINGS) {
  void t.test(`10,000 handshakes of one address leave sessions for others, in ${mode} with ${trust}`, async t => {
    const cluster = await Cluster.start(t, { BALANCERS, TRUST_PROXY, RATE_LIMIT_MAX: '1000' })
    await cluster.ready()
    const alone = await PoliteClient.alone(t, `${cluster.url}/health`)
    const polite = new PoliteClient(t, `${cluster.url}/health`)
    const statuses = new Map<number, number>()
    let left = HANDSHAKES
    const shake = async (): Promise<void> => {
      while ((left -= 1) >= 0) {
        const { status } = await ask(cluster.url, HANDSHAKE, { from: ATTACKER })
        statuses.set(status, (statuses.get(status) ?? 0) + 1)
      }
    }
    await Promise.all(Array.from({ length: AT_ONCE }, shake))
    const client = await ChatClient.connect(t, cluster.url, 'polling')
    t.comment([...statuses].map(([status, count]) => `${count} answered ${status}`).join(', '))
    const again = async (): Promise<boolean> => (await ask(cluster.url, HANDSHAKE, { from: ATTACKER })).status === 200
    await until(again, 'the sessions to be free again', 40_000)
    client.socket.disconnect()
    const saw = await polite.stop()
    t.comment(sawOf(saw, alone))
    t.equal(saw.lost, 0)
    t.match(await cluster.stop(), { code: 0 })
  })

  void t.test(`430 chat clients of one address end no worker and hold up nobody, in ${mode} with ${trust}`, async t => {
    const cluster = await Cluster.start(t, { BALANCERS, TRUST_PROXY })
    await cluster.ready()
    const pids = [...cluster.pids('balancer'), ...cluster.pids('worker')]
    const alone = await PoliteClient.alone(t, `${cluster.url}/health`)
    let over = false
    let sent = 0
    const speakers = new Set<WebSocket>()
    const speak = (): void => {
      if (over) return
      const url = `ws://127.0.0.1:${cluster.port}/socket.io/?EIO=4&transport=websocket`
      const socket = new WebSocket(url, { localAddress: ATTACKER })
      speakers.add(socket)
      let talking: NodeJS.Timeout | undefined
      socket.on('error', () => undefined)
      socket.once('open', () => {
        socket.send('40')
        talking = setInterval(() => {
          sent += 1
          socket.send('42["message","again"]')
        }, SPEAK_MS)
      })
      socket.once('close', () => {
        clearInterval(talking)
        speakers.delete(socket)
        setTimeout(speak, RETURN_MS)
      })
    }
    for (let i = 0; i < SPEAKERS; i += 1) speak()
    const polite = new PoliteClient(t, `${cluster.url}/health`)
    const client = await ChatClient.connect(t, cluster.url, 'websocket')
    await sleep(HELD_MS)
    const saw = await polite.stop()
    client.socket.emit('message', 'heard')
    await until(() => client.messages.includes('heard'), 'the message of the polite client')
    over = true
    for (const socket of speakers) socket.terminate()
    t.comment(`${sawOf(saw, alone)}; ${sent} messages were sent`)
    t.equal(saw.lost, 0)
    t.strictSame([...cluster.pids('balancer'), ...cluster.pids('worker')], pids, 'no process was lost')
    t.match(await cluster.stop(), { code: 0 })
  })
}

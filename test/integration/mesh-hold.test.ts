import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import net from 'node:net'
import { join } from 'node:path'
import t from 'tap'
import { ask, jsonOf } from '../helpers/client.js'
import { Cluster } from '../helpers/cluster.js'
import { until } from '../helpers/deadline.js'
import { temporaryFolder } from '../helpers/harness.js'

const WAITING = 1_024

void t.test(
  'in mesh mode without a worker, a bounded number of connections wait in turn for a bounded time',
  async t => {
    const APP = join(temporaryFolder(t), 'app.mjs')
    writeFileSync(APP, 'export default (request, response) => response.end("well")')
    const cluster = await Cluster.start(t, { APP, BALANCERS: '0', WORKERS: '1' })
    writeFileSync(APP, 'throw new Error("no database here")')
    cluster.kill('worker')
    await cluster.printed(/worker exited before it was ready/)

    const mute = Array.from({ length: WAITING }, () => net.connect(cluster.port).on('error', () => undefined))
    t.teardown(() => mute.forEach(socket => socket.destroy()))
    const given = mute.map(socket => once(socket.setEncoding('utf8'), 'data'))
    await Promise.all(mute.map(socket => once(socket, 'connect')))

    const full = async (): Promise<boolean> => {
      const answer = await ask(cluster.url, '/', { timeoutMs: 1_000 }).catch(() => undefined)
      return answer?.status === 503 && jsonOf(answer)['code'] === 'WAITING_ROOM_FULL'
    }
    await until(full, 'the waiting room to be full')

    mute[0]!.resetAndDestroy()
    const late = ask(cluster.url, '/')
    for (const first of await Promise.all(given.slice(1)))
      t.match(String(first), /^HTTP\/1.1 503 [^]*retry-after: 1\r\n/)
    t.match(jsonOf(await late), { code: 'NO_TARGET_READY' }, 'it waited in the place of a client that had left')
    t.match(await cluster.stop(), { code: 0 })
  },
)

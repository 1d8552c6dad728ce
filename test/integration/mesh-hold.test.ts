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
const HOG = '127.0.0.2'
/** A connection waits for ten seconds. */
const WAIT_MS = 30_000

void t.test(
  'in mesh mode without a worker, a bounded number of connections wait in turn for a bounded time',
  async t => {
    const APP = join(temporaryFolder(t), 'app.mjs')
    writeFileSync(APP, 'export default (request, response) => response.end("well")')
    const cluster = await Cluster.start(t, { APP, BALANCERS: '0', WORKERS: '1' })
    writeFileSync(APP, 'throw new Error("no database here")')
    cluster.kill('worker')
    await cluster.printed(/worker exited before it was ready/)

    const connect = (): net.Socket => net.connect({ port: cluster.port, host: '127.0.0.1', localAddress: HOG })
    const mute = Array.from({ length: WAITING }, () => connect().on('error', () => undefined))
    t.teardown(() => mute.forEach(socket => socket.destroy()))
    const answered = new Set<net.Socket>()
    const given = mute.map(async socket => {
      const [first] = (await once(socket.setEncoding('utf8'), 'data')) as [string]
      answered.add(socket)
      return first
    })
    await Promise.all(mute.map(socket => once(socket, 'connect')))

    const full = async (): Promise<boolean> => {
      const answer = await ask(cluster.url, '/', { timeoutMs: 1_000, from: HOG }).catch(() => undefined)
      return answer?.status === 503 && jsonOf(answer)['code'] === 'WAITING_ROOM_FULL'
    }
    await until(full, 'the waiting room to be full')
    const other = ask(cluster.url, '/')
    t.match(await Promise.race(given), 'WAITING_ROOM_FULL', 'the client with most gives up a place')
    t.equal(answered.size, 1)

    const gone = mute.findIndex(socket => !answered.has(socket))
    mute[gone]!.resetAndDestroy()
    const codes = new Set<unknown>()
    const late = async (): Promise<boolean> => {
      const { code } = jsonOf(await ask(cluster.url, '/', { from: HOG }))
      codes.add(code)
      return code === 'NO_TARGET_READY'
    }
    await until(late, 'a client to wait in the place of one that has left', WAIT_MS)
    t.ok([...codes].every(code => code === 'NO_TARGET_READY' || code === 'WAITING_ROOM_FULL'))
    const answers = await Promise.all(given.toSpliced(gone, 1))
    for (const first of answers) t.match(first, /^HTTP\/1.1 503 [^]*retry-after: 1\r\n/)
    const pushedOut = answers.filter(first => first.includes('WAITING_ROOM_FULL'))
    t.equal(pushedOut.length, 1, 'and only one')
    t.match(jsonOf(await other), { code: 'NO_TARGET_READY' }, 'to another client, which has waited as long as all')
    t.match(await cluster.stop(), { code: 0 })
  },
)

import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { createServer, type AddressInfo } from 'node:net'
import { join } from 'node:path'
import type { Test } from 'tap'
import { ControlClient } from '#src/control/client.js'
import { ask, type Answer } from '../../helpers/client.js'
import { Cluster } from '../../helpers/cluster.js'
import { until } from '../../helpers/deadline.js'
import { fixture } from '../../helpers/fixtures.js'
import { MODES, type Mode } from '../../helpers/modes.js'
import { PlainNode, strangers } from '../../helpers/plain-node.js'
import { kill } from '../../helpers/processes.js'
import { appThatSays, deploy, folderOf } from '../../helpers/releases.js'

const REQUESTS = 200

const asleep = /pool shrinks to 0 workers: there was no request for 1 s/
const awake = /pool grows from 0 workers: a request waits/
const ownWork = /app falls asleep with/

/** How often a line was printed that matches. */
function count({ lines }: Cluster, pattern: RegExp): number {
  return lines.filter(line => pattern.test(line)).length
}

export async function untilAsleep(cluster: Cluster, times: number): Promise<void> {
  await until(() => count(cluster, asleep) === times, `line ${times} that no worker is needed`, 20_000)
  await cluster.has('worker', 0)
}

export async function startIdle(t: Test, APP: string, mode: Mode, APP_ARGS = ''): Promise<Cluster> {
  const idle = { WORKERS: '0-2', SCALE_TO_ZERO_AFTER: '1', EMBED: 'none', KEEP_WARM: '0' }
  const cluster = Cluster.spawn(t, { ...idle, APP, APP_ARGS, BALANCERS: MODES[mode] })
  await cluster.serving()
  return cluster
}

/** Requests alone keep a worker, and a fixed number of workers ends the sleep. */
export async function idlePool(t: Test, mode: Mode): Promise<void> {
  await t.test(`no worker runs while no requests come, in ${mode}`, async t => {
    const cluster = await startIdle(t, fixture('instrumented-app.js'), mode)
    const client = await ControlClient.of(cluster.dataDir)
    await untilAsleep(cluster, 1)
    t.match(await client.status(), { state: 'serving', sleep: { asleep: true }, wanted: { workers: 0 } })

    await t.test('requests that come at once are all answered, by one start', async t => {
      const answers: Promise<Answer>[] = Array.from({ length: REQUESTS }, () => ask(cluster.url, '/whoami'))
      const statuses = (await Promise.all(answers)).map(({ status }) => status)
      t.ok(statuses.every(status => status === 200))
      t.equal(count(cluster, awake), 1)
    })

    await t.test('a request in flight keeps its worker, and the status says so', async t => {
      const file = join(cluster.dataDir, 'go')
      const answer = ask(cluster.url, `/wait?until=${file}`)
      const held = async (): Promise<boolean> => (await client.status()).sleep?.heldBy === 'a request is in flight'
      await until(held, 'the status to say so')
      const since = count(cluster, asleep)
      // Looks are a second apart, as long as the instance would wait.
      const { ageMs } = await client.status()
      await until(async () => (await client.status()).ageMs > ageMs + 3_000, 'three looks')
      t.equal(count(cluster, asleep), since)
      writeFileSync(file, '')
      t.equal((await answer).status, 200)
      await untilAsleep(cluster, since + 1)
    })

    await t.test('a reload tries the code, and a fixed number of workers stays', async t => {
      t.strictSame(await cluster.reload(), { replaced: 0 }, 'no worker ran')
      await cluster.scale({ workers: 1 })
      await cluster.has('worker', 1)
      t.equal((await ask(cluster.url, '/whoami')).status, 200)
      t.equal((await client.status()).sleep, undefined)
    })
    t.equal(count(cluster, ownWork), 0, 'nothing of Outpost is taken for work of the app')
    t.match(await cluster.stop(), { code: 0 })
  })
}

/** Releases are deployed while no worker runs, with and without timers and connections of their own. */
export async function idleReleases(t: Test, mode: Mode): Promise<void> {
  await t.test(`work of the app by itself keeps no worker, and is named once for each release, in ${mode}`, async t => {
    const peer = createServer(socket => socket.on('error', () => undefined)).listen(0, '127.0.0.1')
    t.teardown(() => peer.close())
    await once(peer, 'listening')
    const { port } = peer.address() as AddressInfo
    const busy = `
      setInterval(() => undefined, 1_000)
      net.connect(${port}, '127.0.0.1').on('error', () => undefined)
      setInterval(() => undefined, 1_000).unref()`
    const files = (text: string, own: string): Record<string, string> => {
      const { 'app.js': app = '', ...others } = appThatSays(text)
      return { ...others, 'app.js': `import net from 'node:net'\n${app}${own}` }
    }
    const named = new RegExp(`app falls asleep with a timer and open connections to 127.0.0.1:${port}: they stop`)
    const cluster = await startIdle(t, folderOf(t, files('busy', busy)), mode)
    await untilAsleep(cluster, 1)
    await until(() => count(cluster, named) === 1, 'the line')
    t.equal((await ask(cluster.url, '/')).text, 'busy')
    await untilAsleep(cluster, 2)
    await deploy(t, cluster, files('idle', ''))
    t.equal((await ask(cluster.url, '/')).text, 'idle', 'a release is deployed while no worker runs')
    await untilAsleep(cluster, 3)
    t.equal(count(cluster, ownWork), 1, 'once, and an app without such work is not named')
    t.equal((await ask(cluster.url, '/')).text, 'idle', 'and wakes as well')
    await untilAsleep(cluster, 4)
    await deploy(t, cluster, files('busy again', busy))
    await until(() => count(cluster, named) === 2, 'the line for another release')
    t.match(await cluster.stop(), { code: 0 })
  })
}

/** A worker is held before its app is loaded, and becomes the one that a request wakes. */
export async function spareWorker(t: Test, mode: Mode): Promise<void> {
  await t.test(`a worker that waited is the app's own process like any other, in ${mode}`, async t => {
    const args = ['two words', '-x']
    const plain = await PlainNode.start(t, ['arguments.cjs', ...args])
    const expected = (await ask(plain.url, '/')).text
    const cluster = await startIdle(t, join(strangers, 'arguments.cjs'), mode, `'two words' -x`)
    const client = await ControlClient.of(cluster.dataDir)
    const spares = (): number[] =>
      cluster
        .processes()
        .filter(({ title }) => title.includes('arguments.cjs'))
        .map(({ pid }) => pid)
    const waits = async (): Promise<boolean> => (await client.status()).sleep?.spare === true
    await untilAsleep(cluster, 1)
    await until(waits, 'a spare')
    const [spare = 0] = spares()
    t.equal((await ask(cluster.url, '/')).text, expected)
    const [worker] = (await client.status()).processes.filter(({ role }) => role === 'worker')
    t.equal(worker?.pid, spare)
    await untilAsleep(cluster, 2)

    // One that is killed is replaced.
    await until(waits, 'the next spare')
    const [killed = 0] = spares()
    kill(killed, 'SIGKILL')
    await until(async () => (await waits()) && spares().some(pid => pid !== killed), 'another spare')
    t.equal((await ask(cluster.url, '/')).text, expected)
    await untilAsleep(cluster, 3)
    await until(waits, 'a spare at the stop')
    t.match(await cluster.stop(), { code: 0 })
    await cluster.gone()
  })
}

import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Test } from 'tap'
import { ask } from '../../helpers/client.js'
import { Cluster, failureOf } from '../../helpers/cluster.js'
import { until } from '../../helpers/deadline.js'
import { temporaryFolder } from '../../helpers/harness.js'
import { PlainNode, strangers } from '../../helpers/plain-node.js'
import { MODES, type Mode } from '../../helpers/modes.js'

export const WAITED_FOR = /app did not listen on PORT in time: .* do not wait/

/** A worker that waits says so before it is served. */
export const waits = (cluster: Cluster): number =>
  cluster.lines.filter(line => /app does not listen on PORT=\d+ yet: /.test(line)).length

export const textOf = async ({ url }: { url: string }): Promise<string> => (await ask(url, '/')).text

function start(t: Test, APP: string, env: Record<string, string>, cwd?: string): Promise<Cluster> {
  return Cluster.start(t, { APP, WORKERS: '1', ...env }, undefined, cwd)
}

export async function exportsFirst(t: Test, mode: Mode): Promise<void> {
  await t.test(`an app that exports and may listen later is waited for once, in ${mode}`, async t => {
    const DATABASE = join(temporaryFolder(t), 'database')
    const cluster = await start(t, 'late-listen.cjs', { BALANCERS: MODES[mode], DATABASE }, strangers)
    await cluster.printed(WAITED_FOR)
    t.equal(await textOf(cluster), '{"database":false,"own":false}')
    await cluster.reload()
    const before = cluster.kill('worker')
    await cluster.has('worker', 1, [before])
    t.equal(await textOf(cluster), '{"database":false,"own":false}')
    t.equal(waits(cluster), 1, 'neither at a reload nor at a restart')

    writeFileSync(DATABASE, '')
    const plain = await PlainNode.start(t, ['late-listen.cjs'], { DATABASE })
    const own = await textOf(plain)
    t.equal(own, '{"database":true,"own":true}')
    await until(async () => (await textOf(cluster)) === own, 'the server of the app, as under plain node')

    rmSync(DATABASE)
    const reloaded = cluster.reload()
    await until(() => waits(cluster) === 2, 'a wait, because the app has listened after all')
    writeFileSync(DATABASE, '')
    await reloaded
    t.equal(await textOf(cluster), own)
    t.match(await cluster.stop(), { code: 0 })
  })
}

export async function ownPortAlone(t: Test, mode: Mode): Promise<void> {
  await t.test(`an app that listens on another port alone is waited for once, in ${mode}`, async t => {
    const folder = temporaryFolder(t)
    const file = join(folder, 'index.js')
    const source = `
      setInterval(() => undefined, 1000)
      require('http').createServer((request, response) => response.end('own port')).listen(0)`
    writeFileSync(file, source)
    const cluster = await start(t, file, { BALANCERS: MODES[mode] })
    await cluster.printed(WAITED_FOR)
    await cluster.reload()
    t.equal(await textOf(cluster), 'own port')
    t.equal(waits(cluster), 1)
    writeFileSync(join(folder, 'module.js'), '')
    const stopped = failureOf(cluster.reload())
    await until(() => waits(cluster) === 2, 'a wait, because the code may have changed')
    t.match(await cluster.stop(), { code: 0 })
    t.match(await stopped, { code: 'STOPPING' })
  })
}

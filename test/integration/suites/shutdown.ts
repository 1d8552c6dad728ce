import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Test } from 'tap'
import { ask, jsonOf } from '../../helpers/client.js'
import { Cluster } from '../../helpers/cluster.js'
import { until, within } from '../../helpers/deadline.js'
import { RawConnection, requestBytes } from '../../helpers/raw-http.js'
import { folderOf } from '../../helpers/releases.js'

/** Says its pid, or waits until the file `until` exists. It has something to close. */
const app = `
import { existsSync } from 'node:fs'
import { createServer } from 'node:http'
export default outpost => {
  outpost.onShutdown(async () => {
    await new Promise(resolve => setImmediate(resolve))
    console.log('the app has closed its things')
  })
  return createServer((request, response) => {
    const end = () => response.end(JSON.stringify({ pid: process.pid }))
    const file = new URL(request.url, 'http://app').searchParams.get('until')
    if (file === null) return end()
    console.log('waiting for ' + file)
    const look = setInterval(() => {
      if (!existsSync(file)) return
      clearInterval(look)
      end()
    }, 10)
  })
}
`

function clusterOf(t: Test, settings: Record<string, string>): Promise<Cluster> {
  return Cluster.start(t, { APP: join(folderOf(t, { 'app.mjs': app }), 'app.mjs'), EMBED: 'none', ...settings })
}

export async function gracefulStop(t: Test, BALANCERS: string): Promise<void> {
  const cluster = await clusterOf(t, { BALANCERS, SHUTDOWN_TIMEOUT_MS: '300000' })
  // A connection whose request has not begun would not be closed by an answer.
  const begun = new Set<unknown>()
  await until(async () => begun.add(jsonOf(await ask(cluster.url, '/'))['pid']).size === 2, 'both workers')
  const idle = await RawConnection.open(cluster.port)
  t.teardown(() => idle.destroy())
  t.equal((await idle.write(requestBytes('GET /')).response()).status, 200)
  const file = join(cluster.dataDir, 'go')
  const answers = ['GET', 'POST'].map(method => ask(cluster.url, `/?until=${file}`, { method }))
  await until(() => cluster.lines.filter(line => line.includes('waiting for')).length === 2, 'both to begin')
  cluster.signal('SIGTERM')
  const refused = (): Promise<boolean> =>
    ask(cluster.url, '/').then(
      () => false,
      () => true,
    )
  await until(refused, 'the port to refuse', 10_000)
  t.equal(cluster.ended, undefined, 'the instance waits for the slow requests')
  writeFileSync(file, '')
  for (const answer of await Promise.all(answers)) t.match(answer, { status: 200 })
  t.match(await within(cluster.exited, 'the end, which an idle connection does not delay', 45_000), { code: 0 })
  t.equal(cluster.lines.filter(line => line.includes('the app has closed its things')).length, 2)
  await cluster.gone()
}

export async function stopAtTheDeadline(t: Test, BALANCERS: string): Promise<void> {
  const cluster = await clusterOf(t, { BALANCERS, WORKERS: '1', SHUTDOWN_TIMEOUT_MS: '500' })
  const answer = ask(cluster.url, '/?until=/never').catch((error: unknown) => error)
  await cluster.printed(/waiting for/)
  t.match(await cluster.stop(), { code: 0 })
  t.ok((await answer) instanceof Error)
}

export async function stopAtOnce(t: Test, BALANCERS: string): Promise<void> {
  const cluster = await clusterOf(t, { BALANCERS, WORKERS: '1' })
  const answer = ask(cluster.url, '/?until=/never').catch((error: unknown) => error)
  await cluster.printed(/waiting for/)
  cluster.signal('SIGTERM')
  await cluster.printed(/"instance is stopping: SIGTERM"/)
  t.strictSame(await cluster.stop('SIGTERM'), { code: 1, signal: null })
  t.ok((await answer) instanceof Error)
}

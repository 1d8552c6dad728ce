import type { Test } from 'tap'
import { ask, bearer, member, signIn } from '../../helpers/client.js'
import { Cluster } from '../../helpers/cluster.js'

/** The primary of an instance is killed, and the next one is started at once. */
export async function startAfterDeath(t: Test, BALANCERS: string): Promise<void> {
  const first = await Cluster.start(t, { BALANCERS })
  const someone = await member(first.url)
  const old = first.processes().map(({ pid }) => pid)
  first.kill('primary')
  const second = await Cluster.start(t, { BALANCERS, DATA_DIR: first.dataDir, PORT: String(first.port) })
  t.match(await ask(second.url, '/me', { headers: bearer(someone.token) }), { status: 200 })
  await signIn(second.url, someone)
  const now = second.processes().map(({ pid }) => pid)
  t.notOk(
    now.some(pid => old.includes(pid)),
    'no process of the first instance is left',
  )
  t.match(await second.stop(), { code: 0 })
}

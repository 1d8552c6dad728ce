import { ask } from './client.js'
import type { Cluster } from './cluster.js'
import { until } from './deadline.js'
import { fixture } from './fixtures.js'

/** The settings for an app that needs neither Redis nor storage, and answers `/` with the id of its process. */
export const plainApp = { APP: fixture('poison-app.js'), EMBED: 'none' }

/** Waits until all of its workers answer. */
export async function allServe(cluster: Cluster): Promise<void> {
  const served = async (): Promise<boolean> => {
    const workers = cluster.pids('worker')
    const answers = await Promise.all(workers.map(() => ask(cluster.url, '/')))
    const pids = new Set(answers.map(({ text }) => Number(text)))
    return workers.length > 0 && workers.every(pid => pids.has(pid))
  }
  await until(served, 'answers of all workers', 30_000)
}

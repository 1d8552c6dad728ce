import type { Test } from 'tap'
import { Load, type LoadReport } from './client.js'
import { Cluster } from './cluster.js'
import { until } from './deadline.js'
import { fixture } from './fixtures.js'

const WORKERS = 4
const CLIENTS = 8

/** Four workers of an app with a fault, and eight clients that ask for nothing bad. */
export class PoisonedCluster {
  private constructor(
    readonly cluster: Cluster,
    readonly load: Load,
  ) {}

  static async start(t: Test, BALANCERS: string): Promise<PoisonedCluster> {
    const settings = { APP: fixture('poison-app.js'), EMBED: 'none', LOG_LEVEL: 'debug' }
    const cluster = await Cluster.start(t, { ...settings, WORKERS: String(WORKERS), BALANCERS })
    const load = new Load(cluster.url, '/', CLIENTS)
    const poisoned = new PoisonedCluster(cluster, load)
    await until(() => load.answered > 50, 'some answers')
    if (BALANCERS === '0') {
      // A worker that hangs before its stand-in has started resets its clients.
      await until(() => poisoned.count(/"stand-in of the worker has started"/) >= WORKERS, 'a stand-in of each worker')
    }
    return poisoned
  }

  /** How many lines of the log match. */
  count(pattern: RegExp): number {
    return this.cluster.lines.filter(line => pattern.test(line)).length
  }

  report(t: Test, { answers, failures }: LoadReport, ended: number): void {
    t.comment(`${answers.length} requests, ${failures.length} lost, ${ended} workers ended`)
  }
}

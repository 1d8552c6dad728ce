import type { Test } from 'tap'
import { ControlClient } from '#src/control/client.js'
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

  /** Waits until all places are filled. */
  isWhole(): Promise<number[]> {
    return this.cluster.has('worker', WORKERS)
  }

  /** Kills all workers, and waits until the next ones serve. */
  async killAll(): Promise<void> {
    // Workers that exit within their first second look like a crash loop, and are replaced later and later.
    await until(() => this.#haveServedFor(1_000), 'workers that have served for a second')
    const before = this.cluster.pids('worker')
    for (const pid of before) process.kill(pid, 'SIGKILL')
    await this.cluster.has('worker', WORKERS, before)
    const served = this.load.answered
    await until(() => this.load.answered > served + 50, 'the next workers to serve')
  }

  /** Ends the load, none of which may have been lost. */
  async lossless(t: Test): Promise<LoadReport> {
    const report = await this.load.stop()
    t.strictSame(
      report.failures.map(({ message }) => message),
      [],
    )
    t.strictSame(new Set(report.answers.map(({ status }) => status)), new Set([200]))
    return report
  }

  report(t: Test, { answers, failures }: LoadReport, ended: number): void {
    t.comment(`${answers.length} requests, ${failures.length} lost, ${ended} workers ended`)
  }

  async #haveServedFor(ms: number): Promise<boolean> {
    const { processes } = await (await ControlClient.of(this.cluster.dataDir)).status()
    const workers = processes.filter(({ role }) => role === 'worker')
    return workers.length === WORKERS && workers.every(({ servedMs }) => servedMs > ms)
  }
}

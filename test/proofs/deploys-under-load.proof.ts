import http from 'node:http'
import t from 'tap'
import { ask } from '../helpers/client.js'
import { Cluster } from '../helpers/cluster.js'
import { appThatSays, deploy, folderOf } from '../helpers/releases.js'
import { MODES } from '../helpers/modes.js'

const DEPLOYS = 20
/** Clients that ask without a pause fill the machine, and that is not held against a release. */
const STAGES = '20:2'
/** The default of `outpost deploy`, long enough to compare latencies as well. */
const LAST_STAGES = '20:10'
const REQUESTS = 100_000

const METHODS = ['GET', 'POST', 'HEAD', 'PUT', 'DELETE', 'PATCH', 'OPTIONS'] as const
const KEPT = 16
const NEW = 4

/** Clients that ask without a pause: some on connections that they keep, some on a new one each time. */
class MixedLoad {
  answered = 0
  readonly failures = new Map<string, number>()
  readonly seen = new Set<string>()
  #stopping = false
  readonly #clients: Promise<void>[]

  constructor(private readonly url: string) {
    this.#clients = Array.from({ length: KEPT + NEW }, (_, i) => this.#client(i < KEPT))
  }

  async stop(): Promise<void> {
    this.#stopping = true
    await Promise.all(this.#clients)
  }

  async #client(keepAlive: boolean): Promise<void> {
    const agent = new http.Agent({ keepAlive, maxSockets: 1 })
    for (let i = 0; !this.#stopping; i += 1) {
      const method = METHODS[i % METHODS.length] ?? 'GET'
      const body = method === 'POST' || method === 'PUT' || method === 'PATCH' ? { body: 'x'.repeat(200) } : {}
      try {
        const { status, text } = await ask(this.url, '/', { method, agent, ...body })
        if (status === 200) {
          this.answered += 1
          if (method !== 'HEAD') this.seen.add(text)
        } else this.#fail(`${method} ${status}`)
      } catch (error) {
        this.#fail(`${method} ${(error as Error).message}`)
      }
    }
    agent.destroy()
  }

  #fail(reason: string): void {
    this.failures.set(reason, (this.failures.get(reason) ?? 0) + 1)
  }
}

for (const [mode, BALANCERS] of Object.entries(MODES)) {
  void t.test(`${DEPLOYS} deploys lose none of ${REQUESTS} requests, in ${mode}`, async t => {
    const APP = folderOf(t, appThatSays('v0'))
    const cluster = await Cluster.start(t, { APP, BALANCERS, WORKERS: '2', KEEP_WARM: '1', RATE_LIMIT_MAX: '0' })
    const load = new MixedLoad(cluster.url)
    for (let version = 1; version <= DEPLOYS; version += 1) {
      const isLast = version === DEPLOYS
      const { report } = await deploy(t, cluster, appThatSays(`v${version}`), isLast ? LAST_STAGES : STAGES)
      if (isLast) t.equal(report?.remark, undefined, 'all has been compared')
      const { text } = await ask(cluster.url, '/')
      t.equal(text, `v${version}`, 'clients get the new release')
    }
    while (load.answered < REQUESTS) await ask(cluster.url, '/')
    await load.stop()
    t.strictSame([...load.failures], [])
    t.equal(load.seen.size, DEPLOYS + 1, 'each release has answered')
    t.comment(`${mode}: ${DEPLOYS} deploys, ${load.answered} requests, ${load.failures.size} lost`)
    t.match(await cluster.stop(), { code: 0 })
  })
}

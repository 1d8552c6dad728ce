import http from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Test } from 'tap'
import { ControlClient } from '#src/control/client.js'
import { ask, cookieOf, Load, type Answer } from '../../helpers/client.js'
import { Cluster, failureOf } from '../../helpers/cluster.js'
import { until } from '../../helpers/deadline.js'
import { appThatSays, deploy, folderOf } from '../../helpers/releases.js'

const isNew = ({ text }: Answer): boolean => text === 'new'

/** Releases that are worse, and by what that is seen. */
const worse = {
  'answers 500 to one request in ten': ['if (asked % 10 === 0) response.statusCode = 500', /requests failed/],
  'is three times slower': [
    'if (Date.now() > 0) return void setTimeout(() => response.end("new"), 300)',
    /took longer/,
  ],
  'leaks 100 MB a second': [
    'globalThis.kept ??= setInterval(() => (globalThis.leak ??= []).push(Buffer.alloc(2e6, 1)), 20)',
    // Collecting it takes time as well, and either reason is good.
    /grew by \d+ MiB|took longer/,
  ],
  'crashes on one path': ['if (asked === 20) process.exit(7)', /ended \(exit code 7\)/],
} as const satisfies Record<string, [before: string, why: RegExp]>

export type Worse = keyof typeof worse

/** A client at 127.0.0.2 that drops its cookies until it gets the new release, and then asks it for one path alone. */
class CanaryAttack {
  #stopping = false
  readonly #running: Promise<number>

  constructor(url: string, path: string) {
    this.#running = this.#run(url, path)
  }

  /** How many answers of the new release it got. */
  async stop(): Promise<number> {
    this.#stopping = true
    return this.#running
  }

  async #run(url: string, path: string): Promise<number> {
    const agent = new http.Agent({ localAddress: '127.0.0.2' })
    let cookie = ''
    let got = 0
    while (!this.#stopping) {
      if (cookie === '') {
        const drawn = await ask(url, '/', { agent })
        if (drawn.text === 'better') cookie = cookieOf(drawn)
      } else if ((await ask(url, path, { agent, headers: { cookie } })).text === 'better') got += 1
      await sleep(4)
    }
    return got
  }
}

/** So many failed answers of one client would have a release taken back, and a busy machine gives as many, too. */
const ENOUGH = 30

const slow = 'if (Date.now() > 0) return void setTimeout(() => response.end("old"), 100)'

/** Its release is slow, and says `old`. */
export function clusterOnTrial(t: Test, BALANCERS: string): Promise<Cluster> {
  return Cluster.start(t, { APP: folderOf(t, appThatSays('old', slow)), BALANCERS, KEEP_WARM: '0' })
}

/** Releases of these kinds are taken back. The cluster is what it was. */
export async function worseReleases(t: Test, cluster: Cluster, kinds: readonly Worse[]): Promise<void> {
  for (const kind of kinds) {
    const [before, why] = worse[kind]
    await t.test(
      `a release that ${kind} is taken back, and no more than its share of the clients has seen it`,
      async t => {
        const load = new Load(cluster.url, '/', 12)
        const error = await failureOf(deploy(t, cluster, appThatSays('new', before), '20:30'))
        const { answers } = await load.stop()
        t.match(error, { code: 'TAKEN_BACK', message: why })
        t.ok((error.report?.before.requests ?? 0) > 0 && (error.report?.fresh.requests ?? 0) > 0, 'both have figures')
        const seen = answers.filter(isNew).length
        t.ok(seen > 0 && seen <= answers.length * 0.2 + 11, `${seen} of ${answers.length}`)
        const bad = answers.filter(({ status }) => status >= 500).length
        t.ok(bad <= answers.length * 0.2 + 11, `${bad} bad ones`)
        const after = await Promise.all(Array.from({ length: 20 }, () => ask(cluster.url, '/')))
        t.strictSame([...new Set(after.map(({ status, text }) => `${status} ${text}`))], ['200 old'])
      },
    )
  }
}

/** Trials that do not take a release back. The last one is live afterwards. */
export async function goodReleases(t: Test, cluster: Cluster): Promise<void> {
  const client = await ControlClient.of(cluster.dataDir)

  await t.test(
    'a client with a cookie gets one release all the time, and has the cookie only during the trial',
    async t => {
      t.equal(cookieOf(await ask(cluster.url, '/')), '')
      const load = new Load(cluster.url, '/', 8)
      let isTried = false
      const deployed = deploy(t, cluster, appThatSays('new', slow.replace('old', 'new')), '50:10', ({ event }) => {
        if (event === 'baking') isTried = true
      })
      await until(() => isTried, 'the trial')
      const visitors = await Promise.all(
        Array.from({ length: 12 }, async () => {
          const first = await ask(cluster.url, '/')
          const cookie = cookieOf(first)
          const texts = new Set([first.text])
          for (let i = 0; i < 10; i++) texts.add((await ask(cluster.url, '/', { headers: { cookie } })).text)
          return { cookie, texts }
        }),
      )
      const { report, release } = await deployed
      const { failures, answers } = await load.stop()
      t.strictSame(failures, [])
      t.ok(answers.every(({ status }) => status === 200))
      for (const { cookie, texts } of visitors) {
        t.match(cookie, /^outpost_release=r\d+\.\d+\.[\w-]{16}$/)
        t.equal(texts.size, 1, [...texts].join())
      }
      t.ok((report?.fresh.requests ?? 0) > 100, `${report?.fresh.requests}`)
      t.strictSame(report?.remark, undefined)
      t.equal(cookieOf(await ask(cluster.url, '/')), '')
      t.equal((await client.status()).release, release)
    },
  )

  await t.test('with too little traffic health alone decides, and the report says so', async t => {
    const { report } = await deploy(t, cluster, appThatSays('newer'), '50:1')
    t.match(report?.remark, /too little traffic to compare/)
    t.equal((await ask(cluster.url, '/')).text, 'newer')
  })

  await t.test('a client that asks the new release only for what fails does not have it taken back', async t => {
    const isOld = `if (request.url === '/fails') response.statusCode = 500`
    await deploy(t, cluster, appThatSays('good', isOld))
    // The others have to ask often enough to be compared on a busy machine, too.
    const load = new Load(cluster.url, '/', 8)
    const attack = new CanaryAttack(cluster.url, '/fails')
    const { report } = await deploy(t, cluster, appThatSays('better', isOld), '20:5')
    const { failures, answers } = await load.stop()
    t.strictSame(failures, [])
    t.ok(answers.every(({ status }) => status === 200))
    t.ok((await attack.stop()) >= ENOUGH, 'it got the new release')
    t.ok((report?.fresh.failed ?? 0) >= ENOUGH, `${report?.fresh.failed} of ${report?.fresh.requests} failed`)
    t.match(report?.remark, /a fault of one client alone did not count: .* of its requests failed/)
    t.equal((await ask(cluster.url, '/')).text, 'better')
  })
}

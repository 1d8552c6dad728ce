import t from 'tap'
import { ControlClient } from '#src/control/client.js'
import { ask, cookieOf, Load, type Answer } from '../helpers/client.js'
import { Cluster, failureOf } from '../helpers/cluster.js'
import { until } from '../helpers/deadline.js'
import { appThatSays, deploy, folderOf } from '../helpers/releases.js'

// Most of the time is spent waiting, so two tests run at once.
t.jobs = 2

const isNew = ({ text }: Answer): boolean => text === 'new'

/** Releases that are worse, and by what that is seen. */
const worse: Record<string, [before: string, why: RegExp]> = {
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
}

for (const BALANCERS of ['1', '0']) {
  void t.test(`a release is tried on a share of the clients with BALANCERS=${BALANCERS}`, async t => {
    const slow = 'if (Date.now() > 0) return void setTimeout(() => response.end("old"), 100)'
    const APP = folderOf(t, appThatSays('old', slow))
    const cluster = await Cluster.start(t, { APP, BALANCERS, KEEP_WARM: '0' })
    const client = await ControlClient.of(cluster.dataDir)

    for (const [what, [before, why]] of Object.entries(worse)) {
      await t.test(`one that ${what} is taken back, and no more than its share of the clients has seen it`, async t => {
        const load = new Load(cluster.url, '/', 20)
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
      })
    }

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
  })
}

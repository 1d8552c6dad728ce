import http from 'node:http'
import { isDeepStrictEqual } from 'node:util'
import t, { type Test } from 'tap'
import { ask, cookieOf } from '../helpers/client.js'
import { Cluster } from '../helpers/cluster.js'
import { until } from '../helpers/deadline.js'
import { strangers } from '../helpers/plain-node.js'
import { MODES } from '../helpers/modes.js'

const VISITS = 8
const COUNTED = Array.from({ length: VISITS }, (_, i) => i + 1)

const WORKERS = 3

async function start(t: Test, BALANCERS: string, STICKY: string): Promise<Cluster> {
  const env = { APP: 'memory-state.cjs', WORKERS: String(WORKERS), BALANCERS, STICKY, LOG_LEVEL: 'debug' }
  const cluster = await Cluster.start(t, env, undefined, strangers)
  const found = (): Set<string> =>
    new Set(cluster.lines.flatMap(line => /"by":"\w+ \d+","worker":"\d+","state":"ready"/.exec(line) ?? []))
  // Every process that balances finds every worker.
  const pairs = BALANCERS === '0' ? WORKERS * WORKERS : WORKERS
  await until(() => found().size === pairs, 'all workers to be found everywhere')
  return cluster
}

/** The answers to one client that makes a connection for each visit and keeps its cookies. */
async function visits(url: string, from: string): Promise<unknown[]> {
  const counts: unknown[] = []
  let cookie = ''
  for (let i = 0; i < VISITS; i += 1) {
    const answer = await ask(url, '/session', { from, ...(cookie === '' ? {} : { headers: { cookie } }) })
    if (cookie === '') cookie = cookieOf(answer)
    counts.push(JSON.parse(answer.text))
  }
  return counts
}

for (const [mode, BALANCERS] of Object.entries(MODES)) {
  void t.test(`STICKY=cookie keeps a session in memory, and spreads clients over the workers, in ${mode}`, async t => {
    const { url } = await start(t, BALANCERS, 'cookie')
    const workers = new Set<string>()
    for (let i = 0; i < 12; i += 1) {
      const cookie = cookieOf(await ask(url, '/session'))
      t.match(cookie, /^connect\.sid=.*; outpost_worker=\d+\.[\w-]{16}$/)
      workers.add(/outpost_worker=(\d+)/.exec(cookie)?.[1] ?? '')
      t.strictSame(await visits(url, '127.0.0.1'), COUNTED)
      const again = await ask(url, '/session', { headers: { cookie } })
      t.equal(again.headers['set-cookie'], undefined, 'no cookie is set twice')
    }
    t.ok(workers.size > 1)
  })

  void t.test(`a cookie that the edge has not made names no worker, in ${mode}`, async t => {
    const { url } = await start(t, BALANCERS, 'cookie')
    const answer = await ask(url, '/session', { headers: { cookie: 'outpost_worker=1.aaaaaaaaaaaaaaaa' } })
    t.match(cookieOf(answer), /outpost_worker=\d+\.[\w-]{16}/, 'it gets a good one')
  })

  void t.test(`STICKY=ip keeps each address at one worker, in ${mode}`, async t => {
    const { url } = await start(t, BALANCERS, 'ip')
    // Workers that balance hear of each other one by one, and an address moves with each.
    await until(async () => isDeepStrictEqual(await visits(url, '127.0.6.1'), COUNTED), 'all workers to be known')
    for (const from of ['127.0.5.1', '127.0.5.2', '127.0.5.3', '127.0.5.4']) {
      const counts = []
      for (let i = 0; i < VISITS; i += 1) counts.push(JSON.parse((await ask(url, '/address', { from })).text))
      t.strictSame(counts, COUNTED, from)
      t.strictSame(await visits(url, from), COUNTED, from)
    }
  })

  void t.test(`STICKY=connection gives each client a connection of its own to the app, in ${mode}`, async t => {
    const { url } = await start(t, BALANCERS, 'connection')
    const agents = Array.from({ length: 4 }, () => new http.Agent({ keepAlive: true, maxSockets: 1 }))
    t.teardown(() => agents.forEach(agent => agent.destroy()))
    for (const count of COUNTED) {
      const answers = await Promise.all(agents.map(agent => ask(url, '/connection', { agent })))
      t.strictSame(new Set(answers.map(({ text }) => text)), new Set([String(count)]))
    }
  })
}

import http from 'node:http'
import t from 'tap'
import { ask, cookieOf } from '../helpers/client.js'
import { Cluster, failureOf } from '../helpers/cluster.js'
import { appThatSays, deploy, folderOf } from '../helpers/releases.js'
import { MODES } from '../helpers/modes.js'

const SHARE = 0.2
/** The default of `outpost deploy`. */
const STAGES = '20:10'
/** The requests of clients without a cookie may be off the share by so many; see docs/deploy.md. */
const SLACK = 10

const answerAfter = (ms: number, text: string): string =>
  `if (Date.now() > 0) return void setTimeout(() => response.end('${text}'), ${ms})`
const OLD_MS = 20

/** Releases that are worse, and what is said of them. */
const BAD: Record<string, [files: Record<string, string>, why: RegExp]> = {
  'answers 500 to 5 % of requests': [
    appThatSays('new', `if (asked % 20 === 0) response.statusCode = 500\n${answerAfter(OLD_MS, 'new')}`),
    /of its requests failed/,
  ],
  'is 3 times slower': [appThatSays('new', answerAfter(3 * OLD_MS, 'new')), /took longer/],
  'leaks 100 MB a second': [
    appThatSays(
      'new',
      answerAfter(OLD_MS, 'new'),
      'setInterval(() => (globalThis.l ??= []).push(Buffer.alloc(5e6, 1)), 50)',
    ),
    // Making it takes time as well, and either reason is good.
    /grew by \d+ MiB|took longer/,
  ],
  'crashes on one path': [
    appThatSays('new', `if (request.url === '/bug') process.exit(7)\n${answerAfter(OLD_MS, 'new')}`),
    /ended \(exit code 7\)/,
  ],
  'never listens': [
    { 'package.json': '{"type":"module","main":"app.js"}', 'app.js': 'setInterval(() => undefined, 1_000)' },
    /did not become ready|not found healthy/,
  ],
}

/** The answers that one client has got. */
class Client {
  answered = 0
  errors = 0
  /** By the release that answered. */
  readonly seen = new Map<string, number>()
  #cookie = ''

  constructor(private readonly keepsCookies: boolean) {}

  async ask(url: string, agent: http.Agent): Promise<void> {
    const path = this.answered % 50 === 49 ? '/bug' : '/'
    this.answered += 1
    try {
      const answer = await ask(url, path, { agent, headers: this.#cookie === '' ? {} : { cookie: this.#cookie } })
      if (this.keepsCookies && cookieOf(answer) !== '') this.#cookie = cookieOf(answer)
      if (answer.status !== 200) this.errors += 1
      const release = answer.status === 200 ? answer.text : 'new'
      this.seen.set(release, (this.seen.get(release) ?? 0) + 1)
    } catch {
      this.errors += 1
    }
  }
}

/** Clients that ask again and again: some keep cookies, some do not. */
class Crowd {
  readonly keeping = Array.from({ length: 12 }, () => new Client(true))
  readonly others = Array.from({ length: 12 }, () => new Client(false))
  #stopping = false
  readonly #running: Promise<unknown>

  constructor(url: string) {
    this.#running = Promise.all([...this.keeping, ...this.others].map(client => this.#run(client, url)))
  }

  async stop(): Promise<void> {
    this.#stopping = true
    await this.#running
  }

  async #run(client: Client, url: string): Promise<void> {
    const agent = new http.Agent({ keepAlive: true, maxSockets: 1 })
    while (!this.#stopping) await client.ask(url, agent)
    agent.destroy()
  }
}

const sum = (clients: readonly Client[], of: (client: Client) => number): number =>
  clients.reduce((all, client) => all + of(client), 0)

for (const [mode, BALANCERS] of Object.entries(MODES)) {
  void t.test(`bad releases are taken back, and hurt no more than their share of the clients, in ${mode}`, async t => {
    const APP = folderOf(t, appThatSays('old', answerAfter(OLD_MS, 'old')))
    const env = { APP, BALANCERS, WORKERS: '2', KEEP_WARM: '0', RATE_LIMIT_MAX: '0', START_TIMEOUT_MS: '5000' }
    const cluster = await Cluster.start(t, env)
    for (const [what, [files, why]] of Object.entries(BAD)) {
      await t.test(`a release that ${what}`, async t => {
        const crowd = new Crowd(cluster.url)
        const begun = performance.now()
        const error = await failureOf(deploy(t, cluster, files, STAGES))
        const seconds = ((performance.now() - begun) / 1_000).toFixed(1)
        await crowd.stop()
        t.match(error, { code: 'TAKEN_BACK', message: why })

        const { keeping, others } = crowd
        const hurt = keeping.filter(({ errors }) => errors > 0)
        for (const { seen } of hurt) t.ok(seen.has('new'), 'a client with an error is of the share')
        const all = sum(others, ({ answered }) => answered)
        const allowed = all * SHARE + SLACK
        const fresh = sum(others, ({ seen }) => seen.get('new') ?? 0)
        t.ok(fresh <= allowed, `${fresh} of ${all} requests without a cookie got the new one`)
        const errors = sum([...keeping, ...others], client => client.errors)
        t.ok(sum(others, client => client.errors) <= allowed, `${errors} errors`)
        const requests = sum([...keeping, ...others], ({ answered }) => answered)
        const got = sum([...keeping, ...others], ({ seen }) => seen.get('new') ?? 0)
        t.comment(`${mode}: one that ${what}: after ${seconds} s, ${got} of ${requests} got it, ${errors} errors`)

        const after = await Promise.all(Array.from({ length: 20 }, () => ask(cluster.url, '/')))
        t.strictSame([...new Set(after.map(({ status, text }) => `${status} ${text}`))], ['200 old'])
      })
    }
    t.match(await cluster.stop(), { code: 0 })
  })
}

import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { ControlClient } from '#src/control/client.js'
import { ask, Load } from '../helpers/client.js'
import { Cluster, failureOf } from '../helpers/cluster.js'
import { until } from '../helpers/deadline.js'
import { folderOf } from '../helpers/releases.js'

// Most of the time is spent waiting, so two tests run at once.
t.jobs = 2

/** Tells when each request came, and waits for a file at /wait. */
const APP = `
import { existsSync } from 'node:fs'
import { createServer } from 'node:http'
createServer((request, response) => {
  const came = String(Date.now())
  const [path, file] = request.url.split('?')
  if (path !== '/wait') return response.end(came)
  const look = setInterval(() => existsSync(file) && (clearInterval(look), response.end(came)), 20)
}).listen(process.env.PORT)
`

/** Time in which an answer would come, were it not held back. */
async function aWhile(client: ControlClient): Promise<void> {
  const { ageMs } = await client.status()
  await until(async () => (await client.status()).ageMs > ageMs + 700, 'a while')
}

for (const BALANCERS of ['1', '0']) {
  void t.test(`traffic is paused with BALANCERS=${BALANCERS}`, async t => {
    const app = folderOf(t, { 'app.mjs': APP, 'package.json': '{"main":"app.mjs"}' })
    const cluster = await Cluster.start(t, { APP: app, BALANCERS, EMBED: 'none' })
    const client = await ControlClient.of(cluster.dataDir)

    await t.test(
      'nothing is lost, and no request reaches the app from the answer of pause to that of resume',
      async t => {
        const load = new Load(cluster.url, '/', 8)
        await until(() => load.answered > 100, 'some load')
        await client.pause({ seconds: 30, drain: true })
        const from = Date.now()
        const { paused } = await client.status()
        t.ok(paused !== undefined && Date.parse(paused.until) > from, 'the status says until when')
        const before = load.answered
        await aWhile(client)
        t.equal(load.answered, before)
        const to = Date.now()
        const { pausedMs } = await client.resume()
        t.ok(pausedMs >= to - from)
        const answered = load.answered
        await until(() => load.answered > answered + 50, 'answers after it')
        const { answers, failures } = await load.stop()
        t.strictSame(failures, [])
        t.strictSame([...new Set(answers.map(({ status }) => status))], [200])
        const during = answers.filter(({ text }) => Number(text) > from && Number(text) < to)
        t.equal(during.length, 0, `${during.length} of ${answers.length}`)
        t.equal((await client.status()).paused, undefined)
      },
    )

    await t.test(
      'a pause waits for what is in flight when it is asked to, and fails when that takes too long',
      async t => {
        const file = join(cluster.dataDir, `go-${BALANCERS}`)
        const answer = ask(cluster.url, `/wait?${file}`)
        const isThere = async (): Promise<boolean> =>
          (await client.status()).processes.some(({ inFlight }) => inFlight > 0)
        await until(isThere, 'a request in flight')
        t.match(await failureOf(client.pause({ seconds: 1, drain: true })), { code: 'STILL_IN_FLIGHT' })
        t.equal((await ask(cluster.url, '/')).status, 200, 'the others go on')
        await cluster.printed(/requests go on: the pause has ended by itself after 1 s/)
        let isOver = false
        const paused = client.pause({ seconds: 30, drain: true }).then(() => (isOver = true))
        await cluster.printed(/traffic is paused for 30 s at most/)
        t.notOk(isOver)
        writeFileSync(file, '')
        t.equal((await answer).status, 200)
        await paused
        await client.resume()
        t.strictSame(await client.resume(), { pausedMs: 0 })
      },
    )

    await t.test('a new balancing process holds requests back like the others', async t => {
      await client.pause({ seconds: 60, drain: false })
      const role = BALANCERS === '1' ? 'balancer' : 'worker'
      const pids = cluster.pids(role)
      for (const pid of pids) process.kill(pid, 'SIGKILL')
      await cluster.has(role, pids.length, pids)
      let isAnswered = false
      const asked = Date.now()
      const answer = ask(cluster.url, '/').finally(() => (isAnswered = true))
      await aWhile(client)
      t.notOk(isAnswered)
      const resumed = Date.now()
      await client.resume()
      const { status, text } = await answer
      t.equal(status, 200)
      t.ok(Number(text) >= resumed && resumed > asked, 'the app got it afterwards')
    })

    await t.test('an instance that stops during a pause answers the requests that wait', async t => {
      await client.pause({ seconds: 60, drain: false })
      const answer = ask(cluster.url, '/')
      await aWhile(client)
      const ended = cluster.stop()
      t.equal((await answer).status, 200)
      t.match(await ended, { code: 0 })
    })
  })
}

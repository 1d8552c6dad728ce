import t, { type Test } from 'tap'
import { ask, bearer, Load, member, signIn, type Answer, type LoadReport } from '../helpers/client.js'
import { Cluster } from '../helpers/cluster.js'
import { until } from '../helpers/deadline.js'
import { allServe, plainApp } from '../helpers/plain-app.js'
import { isAlive } from '../helpers/processes.js'

void t.test('an instance with a balancer heals', async t => {
  const cluster = await Cluster.start(t, { RATE_LIMIT_MAX: '0' })
  const { url } = cluster

  for (const [what, signal] of [
    ['dies', 'SIGKILL'],
    ['is asked to end', 'SIGTERM'],
  ] as const) {
    await t.test(`a worker that ${what} is replaced, and no request is lost`, async t => {
      const names = await cluster.workersTakePart(2)
      const load = new Load(url, '/health')
      await until(() => load.answered > 50, 'some answers')
      const gone = cluster.kill('worker', signal)
      await cluster.has('worker', 2, [gone])
      await until(async () => {
        const now = await cluster.workersTakePart(2)
        return now.some(name => !names.includes(name))
      }, 'the new one to take part')
      lossless(t, await load.stop())
      await until(() => !isAlive(gone), 'the end of the replaced worker')
    })
  }

  await t.test('requests wait for new workers after all have been killed', async t => {
    const before = cluster.pids('worker')
    for (const pid of before) process.kill(pid, 'SIGKILL')
    const answers = await Promise.all(Array.from({ length: 20 }, () => ask(url, '/health')))
    t.strictSame(outcomesOf(answers), ['200'])
    await cluster.has('worker', 2, before)
  })

  await t.test(
    'the port accepts connections while the only balancer is replaced, and answers them afterwards',
    async t => {
      const gone = cluster.kill('balancer')
      await until(() => !isAlive(gone), 'its end')
      const answers = await Promise.all(Array.from({ length: 20 }, () => ask(url, '/health')))
      t.strictSame(outcomesOf(answers), ['200'])
      t.strictSame((await cluster.has('balancer', 1, [gone])).length, 1)
    },
  )

  await t.test('a killed Redis is restarted with all its data, and no other process exits', async t => {
    const someone = await member(url)
    const workers = cluster.pids('worker')
    const gone = cluster.kill('redis')
    const statuses = new Set<number>()
    await until(async () => {
      statuses.add((await ask(url, '/me', { headers: bearer(someone.token) })).status)
      return cluster.pids('redis').some(pid => pid !== gone)
    }, 'the next redis')
    t.notOk(statuses.has(500))
    await cluster.ready()
    t.match(await ask(url, '/me', { headers: bearer(someone.token) }), { status: 200 })
    await signIn(url, someone)
    t.strictSame(cluster.pids('worker'), workers)
    t.strictSame((await cluster.has('redis', 1, [gone])).length, 1)
  })

  t.match(await cluster.stop(), { code: 0 })
})

void t.test('an instance in mesh mode heals', async t => {
  const cluster = await Cluster.start(t, { ...plainApp, BALANCERS: '0' })
  const { url } = cluster

  await t.test('a killed worker breaks its own connections only', async t => {
    const gone = cluster.kill('worker')
    await until(() => !isAlive(gone), 'its end')
    await cluster.has('worker', 2, [gone])
    const answers = await Promise.all(Array.from({ length: 30 }, () => ask(url, '/')))
    t.strictSame(outcomesOf(answers), ['200'])
  })

  await t.test('a worker that gets SIGTERM is replaced, and no request is lost', async t => {
    await allServe(cluster)
    const load = new Load(url, '/', 6)
    await until(() => load.answered > 50, 'some answers')
    const gone = cluster.kill('worker', 'SIGTERM')
    await cluster.has('worker', 2, [gone])
    lossless(t, await load.stop())
  })

  await t.test('connections that a hung worker has not accepted go to other workers when it is killed', async t => {
    await cluster.has('worker', 2)
    await allServe(cluster)
    const hung = cluster.kill('worker', 'SIGSTOP')
    let answered = 0
    const requests = Array.from({ length: 30 }, () => ask(url, '/').finally(() => (answered += 1)))
    await until(() => answered >= 15, 'the answers of the others')
    process.kill(hung, 'SIGKILL')
    const answers = await Promise.all(requests)
    t.strictSame(outcomesOf(answers), ['200'])
    await cluster.has('worker', 2, [hung])
  })

  await t.test('connections wait for new workers after all have been killed', async t => {
    await allServe(cluster)
    const before = cluster.pids('worker')
    for (const pid of before) process.kill(pid, 'SIGKILL')
    await until(() => !before.some(isAlive), 'their end')
    const answers = await Promise.all(Array.from({ length: 20 }, () => ask(url, '/')))
    t.strictSame(outcomesOf(answers), ['200'])
  })

  t.match(await cluster.stop(), { code: 0 })
})

/** The distinct answers: the status, and the code of a problem. */
function outcomesOf(answers: Answer[]): string[] {
  const codeOf = ({ text }: Answer): string => /"code":"(\w+)"/.exec(text)?.[1] ?? ''
  return [...new Set(answers.map(answer => `${answer.status} ${codeOf(answer)}`.trim()))]
}

function lossless(t: Test, { answers, failures }: LoadReport): void {
  t.strictSame(
    failures.map(({ message }) => message),
    [],
    'no connection broke',
  )
  t.strictSame(outcomesOf(answers), ['200'])
}

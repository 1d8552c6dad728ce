import t from 'tap'
import {
  ask,
  bearer,
  cookieOf,
  jsonOf,
  login,
  member,
  register,
  signIn,
  somebody,
  type Answer,
} from '../helpers/client.js'
import { Cluster } from '../helpers/cluster.js'
import { until } from '../helpers/deadline.js'

/** The lines that a cluster has logged of one kind of event. */
function eventsOf({ lines }: Cluster, kind: string): Record<string, unknown>[] {
  return lines
    .filter(line => line.includes(`"security":"${kind}"`))
    .map(line => JSON.parse(line) as Record<string, unknown>)
}

for (const BALANCERS of ['1', '0']) {
  void t.test(`an account is its owner’s alone, with BALANCERS=${BALANCERS}`, async t => {
    const cluster = await Cluster.start(t, { BALANCERS, RATE_LIMIT_MAX: '0' })
    const { url } = cluster
    const me = async (token: string): Promise<number> => (await ask(url, '/me', { headers: bearer(token) })).status

    await t.test('all sessions of an account are listed, and each can be ended with the password', async t => {
      const first = await member(url)
      const agent = { 'user-agent': 'another browser' }
      const second = await signIn(url, first, { headers: agent })
      const third = await signIn(url, first)
      const headers = bearer(first.token)
      const listed = await ask(url, '/sessions', { headers })
      t.equal(listed.headers['cache-control'], 'no-store')
      const sessions = jsonOf(listed)['sessions'] as Record<string, unknown>[]
      t.equal(sessions.length, 3)
      t.equal(sessions.filter(({ current }) => current === true).length, 1)
      const shown = {
        agent: 'another browser',
        current: false,
        client: '127.0.0.1',
        startedAt: /^\d{4}-/,
        seenAt: /^\d{4}-/,
      }
      const other = sessions.find(({ agent }) => agent === 'another browser')
      t.match(other, shown)
      t.notMatch(listed.text, second.token)

      const end = (json: object): Promise<Answer> => ask(url, '/sessions/end', { headers, json })
      t.match(await end({ id: other?.['id'] }), { status: 400 })
      t.match(await end({ id: other?.['id'], password: 'not this one' }), { status: 401 })
      t.equal(await me(second.token), 200)
      t.match(await end({ id: other?.['id'], password: first.password }), { status: 204 })
      t.equal(await me(second.token), 401)
      t.match(await ask(url, '/me', { headers: { cookie: second.cookie } }), { status: 401 })
      t.equal(await me(third.token), 200)
      t.match(await end({ id: other?.['id'], password: first.password }), { status: 404 })
      t.match(await end({ password: first.password }), { status: 204 })
      t.equal(await me(third.token), 401)
      t.equal(await me(first.token), 200)
      t.match(await ask(url, '/sessions'), { status: 401 })
    })

    await t.test('nobody sees or ends the sessions of another account', async t => {
      const [alice, mallory] = [await member(url), await member(url)]
      const [{ id }] = jsonOf(await ask(url, '/sessions', { headers: bearer(alice.token) }))['sessions'] as [
        { id: string },
      ]
      const json = { id, password: mallory.password }
      t.match(await ask(url, '/sessions/end', { headers: bearer(mallory.token), json }), { status: 404 })
      t.equal(await me(alice.token), 200)
    })

    await t.test('a changed password ends all other sessions, and the old one is good for nothing', async t => {
      const first = await member(url)
      const second = await signIn(url, first)
      const change = (json: object): Promise<Answer> =>
        ask(url, '/password', { headers: { cookie: first.cookie }, json })
      const newPassword = 'battery staple'
      t.match(await change({ currentPassword: 'not this one', newPassword }), { status: 401 })
      t.match(await change({ currentPassword: first.password, newPassword: 'password1' }), { status: 400 })
      t.equal(await me(second.token), 200)
      const changed = await change({ currentPassword: first.password, newPassword })
      t.equal(changed.status, 200)
      t.equal(await me(second.token), 401)
      t.equal(await me(first.token), 401)
      t.match(await ask(url, '/me', { headers: { cookie: first.cookie } }), { status: 401 }, 'its session has a new id')
      t.equal(await me(String(jsonOf(changed)['token'])), 200)
      t.match(await ask(url, '/me', { headers: { cookie: cookieOf(changed) } }), { status: 200 })
      t.match(await login(url, first), { status: 401 })
      t.match(await login(url, { ...first, password: newPassword }), { status: 200 })
    })

    await t.test('a product belongs to the account that made it', async t => {
      const [alice, mallory] = [await member(url), await member(url)]
      const put = (by: { token: string }, price: number): Promise<Answer> =>
        ask(url, `/products/of-${BALANCERS}`, { method: 'PUT', json: { name: 'n', price }, headers: bearer(by.token) })
      t.match(await put(alice, 1), { status: 200 })
      t.match(jsonOf(await put(mallory, 2)), { status: 403, code: 'NOT_OWNER' })
      t.match(jsonOf(await ask(url, `/products/of-${BALANCERS}`)), { price: 1 })
      t.match(await put(alice, 3), { status: 200 })
      const account = mallory.username
      await until(() => eventsOf(cluster, 'forbidden').some(event => event['account'] === account), 'its log line')
    })

    await t.test('a page of another origin that is refused is a log line', async t => {
      const { cookie } = await member(url)
      const headers = { origin: 'https://evil.example', cookie }
      t.match(await ask(url, '/logout', { method: 'POST', headers }), { status: 403 })
      t.match(await ask(url, '/socket.io/?EIO=4&transport=polling', { headers }), { status: 403 })
      const told = (subject: RegExp) => () =>
        eventsOf(cluster, 'forbidden').some(({ msg }) => subject.test(String(msg)))
      await until(told(/^request was refused: a page of another origin/), 'the line of the request')
      await until(told(/^realtime connection was refused: a page of another origin/), 'the line of realtime')
    })

    await t.test('sign-ins that succeed and fail are log lines, without what is secret', async t => {
      const alice = await member(url)
      await login(url, { ...alice, password: 'not this one' })
      await login(url, { username: 'a-mistyped-password', password: 'not this one' })
      const failed = () => eventsOf(cluster, 'sign-in-failed').filter(({ client }) => client === '127.0.0.1')
      await until(() => failed().some(({ account }) => account === alice.username), 'the failed one')
      await until(() => eventsOf(cluster, 'sign-in').some(({ account }) => account === alice.username), 'the other')
      t.match(failed().at(-1), {
        process: /^worker/,
        level: 'warn',
        code: 'INVALID_CREDENTIALS',
        time: /Z$/,
        requestId: /./,
      })
      const log = cluster.lines.join('\n')
      for (const secret of [alice.password, alice.token, 'a-mistyped-password', 'not this one']) t.notMatch(log, secret)
    })
  })
}

void t.test('sixty addresses do not get sixty guesses, and the owner signs in meanwhile', async t => {
  // With a window of a day, turns are more than an hour apart, however slow this machine is.
  const cluster = await Cluster.start(t, { RATE_LIMIT_WINDOW_MS: '86400000' })
  const { url } = cluster
  const alice = somebody()
  t.equal((await register(url, alice)).status, 201)
  const guesses = await Promise.all(
    Array.from({ length: 60 }, (_, i) =>
      login(url, { ...alice, password: `guess ${i}` }, { from: `127.0.3.${i + 1}` }),
    ),
  )
  const answered = guesses.filter(({ status }) => status === 401).length
  // One of those that came late may have had the first turn.
  t.ok(answered === 20 || answered === 21, `${answered} guesses are answered`)
  const refused = guesses.filter(({ status }) => status === 429)
  t.equal(refused.length, 60 - answered)
  t.match(jsonOf(refused[0]!), { code: 'LOGIN_TURN' })
  t.match(refused[0]!.headers['retry-after'], /^\d+$/)
  t.equal((await login(url, alice)).status, 200, 'from where the account was made')
  const late = ['127.0.3.90', '127.0.3.91'].map(from => login(url, { ...alice, password: 'a guess' }, { from }))
  const statuses = (await Promise.all(late)).map(({ status }) => status)
  t.ok(statuses.includes(429), `new addresses get turns, one after the other: ${statuses.join(', ')}`)
  t.equal((await login(url, somebody(), { from: '127.0.3.90' })).status, 401, 'and may sign in to other accounts')
  await until(() => eventsOf(cluster, 'limited').some(({ account }) => account === alice.username), 'its log line')
})

void t.test('registrations of one username are limited over all addresses', async t => {
  const { url } = await Cluster.start(t, { WORKERS: '1' })
  const taken = somebody()
  const statuses: number[] = []
  for (let i = 0; i < 25; i++) statuses.push((await register(url, taken, { from: `127.0.4.${i + 1}` })).status)
  t.strictSame(statuses, [201, ...Array<number>(19).fill(409), ...Array<number>(5).fill(429)])
  t.equal((await register(url, somebody(), { from: '127.0.4.1' })).status, 201)
})

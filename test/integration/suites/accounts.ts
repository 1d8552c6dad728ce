import type { Test } from 'tap'
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
  type AskOptions,
} from '../../helpers/client.js'
import type { Cluster } from '../../helpers/cluster.js'
import { RawConnection, requestBytes } from '../../helpers/raw-http.js'

const UUID_V4 = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/

/** Accounts, on a cluster of any mode that has no rate limit. */
export async function accountSuite(t: Test, cluster: Cluster, workers: number): Promise<void> {
  const { url } = cluster
  const me = (headers: AskOptions['headers'] = {}): Promise<Answer> => ask(url, '/me', { headers })

  await signInAndOut(t, cluster)

  await t.test('a sign-out by token also ends the session', async t => {
    const { token, cookie } = await member(url)
    t.match(await ask(url, '/logout', { method: 'POST', headers: bearer(token) }), { status: 204 })
    t.match(await me({ cookie }), { status: 401 })
    t.match(await me(bearer(token)), { status: 401 })
  })

  await t.test('a sign-out ends only its own sign-in', async t => {
    const first = await member(url)
    const second = await signIn(url, first)
    t.match(await ask(url, '/logout', { method: 'POST', headers: bearer(first.token) }), { status: 204 })
    t.match(await me(bearer(second.token)), { status: 200 })
    t.match(await me({ cookie: second.cookie }), { status: 200 })
  })

  await t.test('a second sign-in in the same browser ends the first', async t => {
    const first = await member(url)
    const second = await signIn(url, first, { headers: { cookie: first.cookie } })
    t.not(second.cookie, first.cookie)
    t.match(await me({ cookie: first.cookie }), { status: 401 })
    t.match(await me(bearer(first.token)), { status: 401 }, 'token and session end together')
    t.match(await me({ cookie: second.cookie }), { status: 200 })
  })

  await t.test('a sign-out without a sign-in is not an error', async t => {
    t.match(await ask(url, '/logout', { method: 'POST' }), { status: 204 })
  })

  await t.test('all spellings of a username are one account', async t => {
    const { username, password } = somebody('josé')
    t.match(await register(url, { username: username.normalize('NFD'), password }), { status: 201 })
    t.match(await register(url, { username: username.normalize('NFC').toUpperCase(), password }), { status: 409 })
    const { token } = await signIn(url, { username: username.toUpperCase().normalize('NFD'), password })
    t.equal(jsonOf(await me(bearer(token)))['username'], username.normalize('NFC'))
  })

  await t.test('a wrong name and a wrong password get the same answer', async t => {
    const { username } = await member(url)
    const wrong = [
      await login(url, { username, password: 'not this one' }),
      await login(url, { username: 'nobody-at-all', password: 'not this one' }),
    ]
    const [first, second] = wrong.map(answer => ({ ...jsonOf(answer), requestId: '' }))
    t.match(first, { status: 401, code: 'INVALID_CREDENTIALS' })
    t.strictSame(first, second)
    t.ok(wrong.every(({ headers }) => headers['set-cookie'] === undefined))
  })

  await t.test('exactly one of eight simultaneous registrations of a name succeeds', async t => {
    const body = JSON.stringify(somebody())
    const bytes = requestBytes('POST /register', ['Content-Type: application/json'], body)
    const connections = await Promise.all(Array.from({ length: 8 }, () => RawConnection.open(cluster.port)))
    for (const connection of connections) connection.write(bytes)
    const statuses = await Promise.all(connections.map(async connection => (await connection.response()).status))
    for (const connection of connections) connection.destroy()
    t.equal(statuses.filter(status => status === 201).length, 1)
    t.equal(statuses.filter(status => status === 409).length, 7)
  })

  await t.test('every worker sees accounts, sign-ins and sign-outs of the others at once', async t => {
    await cluster.workersTakePart(workers)
    for (let round = 0; round < 3; round++) {
      const credentials = somebody()
      await register(url, credentials)
      const signedIn = await login(url, credentials)
      const headers = bearer(String(jsonOf(signedIn)['token']))

      const seen = await throughEveryWorker(cluster, workers, '/me', { headers })
      t.ok(
        seen.every(({ status }) => status === 200),
        'signed in at every worker',
      )

      await ask(url, '/logout', { method: 'POST', headers })
      const after = await throughEveryWorker(cluster, workers, '/me', { headers })
      t.ok(
        after.every(({ status }) => status === 401),
        'signed out at every worker',
      )
    }
  })

  await t.test('every answer has a request id made by Outpost, and errors are problem documents', async t => {
    await checkAnswer(t, await ask(url, '/health'), 200)
    await checkAnswer(t, await ask(url, '/health', { headers: { 'x-request-id': 'mine' } }), 200)
    await checkAnswer(t, await register(url, somebody()), 201)
    await checkAnswer(t, await me(), 401, 'UNAUTHENTICATED')
    await checkAnswer(t, await ask(url, '/no/such/route'), 404, 'NOT_FOUND')
    await checkAnswer(t, await ask(url, '/register', { json: {} }), 400, 'VALIDATION_FAILED')
    await checkAnswer(t, await ask(url, '/login', { json: [] }), 400, 'VALIDATION_FAILED')
  })

  await t.test('a refusal names every invalid value', async t => {
    const answer = jsonOf(await ask(url, '/register', { json: { username: 'a b', password: 'short' } }))
    t.match(answer, { errors: [{ field: 'username' }, { field: 'password', reason: /8 characters/ }] })
  })

  await t.test('with RATE_LIMIT_MAX=0 no request is limited', async t => {
    const credentials = somebody()
    const answers = [
      ...(await many(150, () => ask(url, '/me'))),
      ...(await many(50, () => ask(url, '/login', { json: {} }))),
      await register(url, credentials),
      ...(await many(12, () => login(url, { ...credentials, password: 'not this one' }))),
      await login(url, credentials),
    ]
    t.strictSame(new Set(answers.map(({ status }) => status)), new Set([401, 400, 201, 200]))
    t.ok(answers.every(({ headers }) => headers['ratelimit'] === undefined))
  })
}

export async function signInAndOut(t: Test, { url }: Cluster): Promise<void> {
  const me = (headers: AskOptions['headers'] = {}): Promise<Answer> => ask(url, '/me', { headers })

  await t.test('a user can register, sign in, be recognised and sign out', async t => {
    const { username, password } = somebody('Zoë')
    const registered = await register(url, { username, password })
    t.equal(registered.status, 201)
    t.match(jsonOf(registered), { username: username.toLowerCase(), createdAt: /^\d{4}-\d\d-\d\dT/ })
    t.notMatch(registered.text, /password|hash/i)

    const signedIn = await login(url, { username, password })
    t.equal(signedIn.status, 200)
    const token = String(jsonOf(signedIn)['token'])
    t.match(token, UUID_V4)
    t.match(signedIn.headers['set-cookie']?.[0], /^outpost\.sid=.*HttpOnly.*SameSite=Lax/)
    t.notMatch(signedIn.headers['set-cookie']?.[0], 'Secure', 'plain http outside of production')
    const cookie = cookieOf(signedIn)

    for (const known of [await me(bearer(token)), await me({ cookie })]) {
      t.equal(known.status, 200)
      t.match(jsonOf(known), { username: username.toLowerCase() })
      t.equal(known.headers['cache-control'], 'no-store')
    }
    t.match(await me({ authorization: `bearer ${token}` }), { status: 200 }, 'schemes have no case (RFC 9110, 11.1)')

    t.match(await ask(url, '/logout', { method: 'POST', headers: { cookie } }), { status: 204, text: '' })
    t.match(await me({ cookie }), { status: 401 })
    t.match(await me(bearer(token)), { status: 401 }, 'the token of the same sign-in has ended')
  })
}

function many(count: number, once: () => Promise<Answer>): Promise<Answer[]> {
  return Promise.all(Array.from({ length: count }, once))
}

/** Asks until every worker has answered. */
async function throughEveryWorker(
  cluster: Cluster,
  workers: number,
  path: string,
  options: AskOptions,
): Promise<Answer[]> {
  const byWorker = new Map<unknown, Answer>()
  while (byWorker.size < workers) {
    const answers = await Promise.all(Array.from({ length: workers }, () => ask(cluster.url, path, options)))
    for (const answer of answers) byWorker.set(answer.headers['x-outpost-worker'], answer)
  }
  return [...byWorker.values()]
}

const requestIds = new Set<string>()

async function checkAnswer(t: Test, answer: Answer, status: number, code?: string): Promise<void> {
  await t.test(
    `an answer with status ${status} has a request id of its own, and a problem body if it is an error`,
    t => {
      const id = String(answer.headers['x-request-id'])
      t.equal(answer.status, status)
      t.match(id, UUID_V4)
      t.notOk(requestIds.has(id), 'one of its own')
      requestIds.add(id)
      if (code !== undefined) {
        t.match(answer.headers['content-type'], /^application\/problem\+json/)
        t.match(jsonOf(answer), { type: 'about:blank', title: /./, status, code, detail: /./, requestId: id })
      }
      t.end()
    },
  )
}

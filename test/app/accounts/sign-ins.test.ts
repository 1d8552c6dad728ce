import t from 'tap'
import { accountKeys } from '#src/app/accounts/account-keys.js'
import { Accounts, hashOfToken, makeToken } from '#src/app/accounts/accounts.js'
import { PasswordHasher } from '#src/app/accounts/password-hasher.js'
import { signInLimits, SignIns, type NewSignIn } from '#src/app/accounts/sign-ins.js'
import { createSessionStore } from '#src/services/sessions.js'
import { RedisServer } from '../../helpers/redis-server.js'

const MINUTE = 60_000
const server = await RedisServer.start(t)
const redis = await server.connect(t)
const store = createSessionStore(redis, { extend: false })
let now = Date.now()

/** The sign-ins as two workers see them. */
const signIns = new SignIns(redis, store, () => now)
const elsewhere = new SignIns(await server.connect(t), store, () => now)

/** An account as it is stored. Nothing is hashed here. */
async function account(username: string): Promise<string> {
  const stored = JSON.stringify({ username, passwordHash: 'hash', createdAt: 'today' })
  await redis.set(accountKeys.user(username), stored)
  return stored
}

async function begin(username: string, id: string, stored?: string): Promise<NewSignIn> {
  const made = { sessionId: `session-${id}`, tokenHash: `token-${id}`, client: '192.0.2.1', agent: 'a browser' }
  await store.set(made.sessionId, { cookie: { originalMaxAge: null } })
  await redis.set(accountKeys.token(made.tokenHash), '{}')
  t.ok(await signIns.add(username, stored ?? (await account(username)), id, made))
  return made
}

async function leavesNothing(t: Tap, { sessionId, tokenHash }: NewSignIn): Promise<void> {
  t.notOk(await store.get(sessionId), 'its session is gone')
  t.equal(await redis.exists(accountKeys.token(tokenHash)), 0, 'its token is gone')
}

type Tap = Pick<typeof t, 'notOk' | 'equal'>

void t.test('a sign-in ends an hour after its last request', async t => {
  const made = await begin('idle', 'one')
  for (let i = 0; i < 3; i++) {
    now += signInLimits.idleMs - MINUTE
    t.ok(await elsewhere.isAlive('idle', 'one'), 'it was used in time')
  }
  now += signInLimits.idleMs + MINUTE
  t.notOk(await signIns.isAlive('idle', 'one'))
  await leavesNothing(t, made)
  now -= signInLimits.idleMs
  t.notOk(await elsewhere.isAlive('idle', 'one'), 'for good')
})

void t.test('a sign-in ends after a day, however much it is used', async t => {
  const made = await begin('busy', 'one')
  for (let used = 0; used + 30 * MINUTE < signInLimits.lifeMs; used += 30 * MINUTE) {
    now += 30 * MINUTE
    t.ok(await signIns.isAlive('busy', 'one'))
  }
  now += 30 * MINUTE
  t.notOk(await elsewhere.isAlive('busy', 'one'))
  await leavesNothing(t, made)
})

void t.test('the list has every sign-in that has not ended, with its times and where it came from', async t => {
  const stored = await account('alice')
  await begin('alice', 'one', stored)
  const startedAt = now
  now += 30 * MINUTE
  await begin('alice', 'two', stored)
  await signIns.isAlive('alice', 'one')
  t.strictSame([...(await elsewhere.list('alice')).keys()].sort(), ['one', 'two'])
  const record = (await elsewhere.list('alice')).get('one')
  t.match(record, { startedAt, seenAt: now, client: '192.0.2.1', agent: 'a browser' })
  now += signInLimits.idleMs + MINUTE
  t.equal((await elsewhere.list('alice')).size, 0)
})

void t.test('one sign-in, or all but one, can be ended at once for all workers', async t => {
  const stored = await account('bob')
  const made = [
    await begin('bob', 'one', stored),
    await begin('bob', 'two', stored),
    await begin('bob', 'three', stored),
  ]
  t.ok(await signIns.end('bob', 'one'))
  t.notOk(await signIns.end('bob', 'one'), 'there is none of that id any more')
  t.notOk(await elsewhere.isAlive('bob', 'one'))
  await leavesNothing(t, made[0]!)
  await elsewhere.endOthers('bob', 'three')
  t.notOk(await signIns.isAlive('bob', 'two'))
  await leavesNothing(t, made[1]!)
  t.ok(await signIns.isAlive('bob', 'three'))
  await signIns.endOthers('bob')
  t.notOk(await signIns.isAlive('bob', 'three'))
})

void t.test('one sign-in more than an account may have ends the oldest', async t => {
  const stored = await account('carol')
  for (let i = 0; i <= signInLimits.atOnce; i++) {
    now += 1
    await begin('carol', `id-${i}`, stored)
  }
  const alive = await elsewhere.list('carol')
  t.equal(alive.size, signInLimits.atOnce)
  t.notOk(alive.has('id-0'))
  t.ok(alive.has(`id-${signInLimits.atOnce}`))
})

void t.test('a sign-in under way while the password is changed does not begin', async t => {
  const accounts = new Accounts(redis, new PasswordHasher({ atOnce: 1, waiting: 8 }))
  await accounts.register('dave', 'correct horse')
  const verified = (await accounts.verify('dave', 'correct horse'))!
  await begin('dave', 'one', verified.stored)
  t.ok(await accounts.changePassword(verified, 'battery staple'))
  t.notOk(await signIns.isAlive('dave', 'one'))
  const late = { sessionId: 's', tokenHash: hashOfToken(makeToken()), client: '192.0.2.1', agent: '' }
  t.notOk(await signIns.add('dave', verified.stored, 'late', late))
  t.equal((await signIns.list('dave')).size, 0)
})

void t.test('a request that arrives as its sign-in is ended does not bring it back', async t => {
  await begin('erin', 'one')
  now += 5 * MINUTE
  await Promise.all([elsewhere.isAlive('erin', 'one'), signIns.end('erin', 'one'), elsewhere.isAlive('erin', 'one')])
  t.equal((await signIns.list('erin')).size, 0)
})

void t.test('an operator ends the sign-ins of an account by deleting its list', async t => {
  await begin('frank', 'one')
  await redis.del('outpost:sign-ins:{frank}')
  t.notOk(await signIns.isAlive('frank', 'one'))
})

void t.test('while Redis takes no writes, it can still say who is signed in', async t => {
  await begin('grace', 'one')
  now += 5 * MINUTE
  await redis.config('SET', 'min-replicas-to-write', '1')
  t.ok(await elsewhere.isAlive('grace', 'one'))
  now += signInLimits.idleMs + MINUTE
  t.notOk(await elsewhere.isAlive('grace', 'one'), 'and who is not')
  await redis.config('SET', 'min-replicas-to-write', '0')
})

void t.test('while Redis is away, nobody counts as signed in', async t => {
  await server.kill()
  await t.rejects(signIns.isAlive('grace', 'one'))
})

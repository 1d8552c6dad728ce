import t from 'tap'
import { accountKeys } from '#src/app/accounts/account-keys.js'
import { Accounts, makeToken } from '#src/app/accounts/accounts.js'
import { PasswordHasher } from '#src/app/accounts/password-hasher.js'
import { RedisServer } from '../../helpers/redis-server.js'

const server = await RedisServer.start(t)
const redis = await server.connect(t)

/** The accounts of two workers, over separate connections. */
const hasher = new PasswordHasher({ atOnce: 1, waiting: 8 })
const accounts = new Accounts(redis, hasher)
const elsewhere = new Accounts(await server.connect(t), hasher)

void t.test('an account is known at every worker, by name and password', async t => {
  const account = await accounts.register('alice', 'correct horse')
  t.match(account, { username: 'alice', createdAt: /^\d{4}-\d\d-\d\dT[\d:.]+Z$/ })
  t.strictSame((await elsewhere.verify('alice', 'correct horse'))?.account, account)
  t.strictSame(await elsewhere.find('alice'), account, 'and no hash is handed out')
  t.equal(await elsewhere.verify('alice', 'wrong horse'), undefined)
  t.equal(await elsewhere.verify('bob', 'correct horse'), undefined)
  t.equal(await elsewhere.find('bob'), undefined)
})

void t.test('a taken name stays with its account', async t => {
  t.equal(await elsewhere.register('alice', 'another horse'), undefined)
  t.equal(await accounts.verify('alice', 'another horse'), undefined)
})

void t.test('exactly one of several simultaneous registrations of a name succeeds, with its own password', async t => {
  const passwords = ['first one', 'second one', 'third one']
  const registered = await Promise.all(
    passwords.map((password, i) => (i % 2 === 0 ? accounts : elsewhere).register('carol', password)),
  )
  const winners = passwords.filter((_, i) => registered[i] !== undefined)
  t.equal(winners.length, 1)
  t.ok(await accounts.verify('carol', winners[0]!))
})

void t.test('a changed password is the only one that is right, and ends all sign-ins', async t => {
  await accounts.register('dora', 'correct horse')
  const verified = (await accounts.verify('dora', 'correct horse'))!
  const signIn = { sessionId: 's-1', tokenHash: 'h-1', startedAt: 1, seenAt: 2, client: '192.0.2.1', agent: '' }
  await redis.hset(accountKeys.signIns('dora'), 'one', JSON.stringify(signIn))
  const change = await elsewhere.changePassword(verified, 'battery staple')
  t.strictSame(change?.ended, [signIn])
  t.equal(await redis.exists(accountKeys.signIns('dora')), 0)
  t.equal(await accounts.verify('dora', 'correct horse'), undefined)
  t.strictSame(await accounts.verify('dora', 'battery staple'), change?.changed)
  t.equal((await accounts.find('dora'))?.createdAt, verified.account.createdAt)
})

void t.test('only one of two simultaneous changes of a password is made', async t => {
  await accounts.register('dirk', 'correct horse')
  const verified = (await accounts.verify('dirk', 'correct horse'))!
  const changes = await Promise.all([
    accounts.changePassword(verified, 'first password'),
    elsewhere.changePassword(verified, 'second password'),
  ])
  t.equal(changes.filter(change => change !== undefined).length, 1)
})

void t.test('a token is known at every worker', async t => {
  const record = { username: 'alice', signInId: 'one' }
  const token = makeToken()
  await accounts.storeToken(token, record)
  t.strictSame(await elsewhere.tokenRecord(token), record)
  t.equal(await accounts.tokenRecord('made-up'), undefined)
})

void t.test('a token of a version that listed no sign-ins is not known', async t => {
  const token = makeToken()
  await accounts.storeToken(token, { username: 'alice', sessionId: 's-1' } as never)
  t.equal(await accounts.tokenRecord(token), undefined)
})

void t.test('a token is valid for a day', async t => {
  await redis.flushall()
  await accounts.storeToken(makeToken(), { username: 'alice', signInId: 'one' })
  const [key] = await redis.keys('*')
  const ttl = await redis.ttl(key!)
  t.ok(ttl > 86_390 && ttl <= 86_400, String(ttl))
})

void t.test('the data in Redis do not allow a sign-in', async t => {
  await redis.flushall()
  await accounts.register('alice', 'correct horse')
  const token = makeToken()
  await accounts.storeToken(token, { username: 'alice', signInId: 'one' })
  const names = await redis.keys('*')
  const held = names.concat(await Promise.all(names.map(async name => String(await redis.get(name)))))
  t.equal(held.length, 4)
  for (const text of held) t.notOk(text.includes(token) || text.includes('correct horse'), text)
})

void t.test('while Redis is away, sign-ins fail without calling the password wrong', async t => {
  await server.kill()
  await t.rejects(accounts.verify('alice', 'correct horse'))
  await t.rejects(accounts.register('dave', 'correct horse'))
  await t.rejects(accounts.tokenRecord('made-up'))
})

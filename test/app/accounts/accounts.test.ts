import t from 'tap'
import { Accounts, hashOfToken } from '#src/app/accounts/accounts.js'
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
  t.strictSame(await elsewhere.verify('alice', 'correct horse'), account)
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

void t.test('a token is valid at every worker until it is revoked', async t => {
  const record = { username: 'alice', sessionId: 's-1' }
  const [token, another] = [await accounts.issueToken(record), await accounts.issueToken(record)]
  t.not(token, another)
  t.strictSame(await elsewhere.tokenRecord(token), record)
  await elsewhere.revokeToken(hashOfToken(token))
  t.equal(await accounts.tokenRecord(token), undefined)
  t.strictSame(await accounts.tokenRecord(another), record, 'each by itself')
  t.equal(await accounts.tokenRecord('made-up'), undefined)
})

void t.test('a token is valid for a day', async t => {
  await redis.flushall()
  await accounts.issueToken({ username: 'alice', sessionId: 's-1' })
  const [key] = await redis.keys('*')
  const ttl = await redis.ttl(key!)
  t.ok(ttl > 86_390 && ttl <= 86_400, String(ttl))
})

void t.test('the data in Redis do not allow a sign-in', async t => {
  await redis.flushall()
  await accounts.register('alice', 'correct horse')
  const token = await accounts.issueToken({ username: 'alice', sessionId: 's-1' })
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

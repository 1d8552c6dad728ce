import t from 'tap'
import { accountKeys } from '#src/app/accounts/account-keys.js'
import { LoginBackoff, waitAfter } from '#src/app/accounts/login-backoff.js'
import { RedisServer } from '../../helpers/redis-server.js'

const HOUR = 60 * 60

const server = await RedisServer.start(t)
const redis = await server.connect(t)
const backoff = new LoginBackoff(redis)
const elsewhere = new LoginBackoff(await server.connect(t))

async function fail(times: number, username: string, client: string): Promise<void> {
  await Promise.all(
    Array.from({ length: times }, (_, i) => (i % 2 === 0 ? backoff : elsewhere).failed(username, client)),
  )
}

/** Moves the last failure into the past, by shortening the time to live of its record. */
async function passed(seconds: number, username: string, client: string): Promise<void> {
  await redis.expire(accountKeys.failedLogins(username, client), HOUR - seconds)
}

void t.test('five mistakes are free, then the wait doubles up to a quarter of an hour', t => {
  const waits = [1, 2, 3, 4, 5, 6, 7, 8, 14, 15, 16, 5_000].map(waitAfter)
  t.strictSame(waits, [0, 0, 0, 0, 1, 2, 4, 8, 512, 900, 900, 900])
  t.end()
})

void t.test('without a failed sign-in there is no wait', async t => {
  t.equal(await backoff.wait('alice', '192.0.2.1'), 0)
  await fail(4, 'alice', '192.0.2.1')
  t.equal(await backoff.wait('alice', '192.0.2.1'), 0)
})

void t.test('failed sign-ins count over all workers, even at the same time', async t => {
  await fail(15, 'bob', '192.0.2.1')
  t.equal(await backoff.wait('bob', '192.0.2.1'), 900)
  t.equal(await elsewhere.wait('bob', '192.0.2.1'), 900)
})

void t.test('the wait holds for one account and one client', async t => {
  await fail(15, 'carol', '192.0.2.1')
  t.equal(await backoff.wait('carol', '192.0.2.2'), 0, 'nobody can lock another one out')
  t.equal(await backoff.wait('dave', '192.0.2.1'), 0)
})

void t.test('time reduces the wait, and a failure starts it anew', async t => {
  await fail(15, 'erin', '192.0.2.1')
  await passed(300, 'erin', '192.0.2.1')
  t.equal(await backoff.wait('erin', '192.0.2.1'), 600)
  await passed(1_000, 'erin', '192.0.2.1')
  t.equal(await backoff.wait('erin', '192.0.2.1'), 0)
  await backoff.failed('erin', '192.0.2.1')
  t.equal(await backoff.wait('erin', '192.0.2.1'), 900)
})

void t.test('only the free ones of many simultaneous guesses are answered, wrong or right', async t => {
  const waits = await Promise.all(
    Array.from({ length: 12 }, (_, i) => (i % 2 === 0 ? backoff : elsewhere).failed('ivan', '192.0.2.1')),
  )
  t.equal(waits.filter(seconds => seconds === 0).length, 5)
  t.ok((await elsewhere.succeeded('ivan', '192.0.2.1')) > 0, 'nor is a right one')
  t.ok((await backoff.wait('ivan', '192.0.2.1')) > 0, 'which clears nothing')
})

void t.test('many simultaneous sign-ins with the right password all succeed', async t => {
  const waits = await Promise.all(
    Array.from({ length: 12 }, (_, i) => (i % 2 === 0 ? backoff : elsewhere).succeeded('judy', '192.0.2.1')),
  )
  t.strictSame(new Set(waits), new Set([0]))
})

void t.test('the right password clears the failures of its client', async t => {
  await fail(15, 'frank', '192.0.2.1')
  await fail(15, 'frank', '192.0.2.2')
  await passed(900, 'frank', '192.0.2.1')
  t.equal(await elsewhere.succeeded('frank', '192.0.2.1'), 0)
  t.equal(await backoff.wait('frank', '192.0.2.1'), 0)
  await fail(4, 'frank', '192.0.2.1')
  t.equal(await backoff.wait('frank', '192.0.2.1'), 0, 'the mistakes are free again')
  t.equal(await backoff.wait('frank', '192.0.2.2'), 900)
})

void t.test('failed sign-ins are forgotten after an hour', async t => {
  await redis.flushall()
  await fail(1, 'grace', '192.0.2.1')
  await fail(3, 'heidi', '192.0.2.1')
  for (const key of await redis.keys('*')) {
    const ttl = await redis.ttl(key)
    t.ok(ttl > HOUR - 10 && ttl <= HOUR, String(ttl))
  }
})

void t.test('while Redis is away, the back-off throws instead of allowing a try', async t => {
  await server.kill()
  await t.rejects(backoff.wait('alice', '192.0.2.1'))
  await t.rejects(backoff.failed('alice', '192.0.2.1'))
})

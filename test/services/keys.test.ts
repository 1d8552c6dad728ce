import { pino } from 'pino'
import t from 'tap'
import { Accounts } from '#src/app/accounts/accounts.js'
import { Cache } from '#src/services/cache.js'
import { keys } from '#src/services/keys.js'
import { accountKeys } from '#src/app/accounts/account-keys.js'
import { GuessLimit } from '#src/app/accounts/guess-limit.js'
import { SignIns } from '#src/app/accounts/sign-ins.js'
import { claimKey, ProductOwners } from '#src/app/products/product-owners.js'
import { uploadKeys } from '#src/app/uploads/upload-keys.js'
import { UploadQuota } from '#src/app/uploads/upload-quota.js'
import { takeLease } from '#src/services/lease.js'
import { LiveUploads } from '#src/services/live-uploads.js'
import { LoginBackoff } from '#src/app/accounts/login-backoff.js'
import { PasswordHasher } from '#src/app/accounts/password-hasher.js'
import { createSessionStore } from '#src/services/sessions.js'
import { until } from '../helpers/deadline.js'
import { freePort } from '#scripts/lib/free-port.js'
import { RedisServer } from '../helpers/redis-server.js'

/** A Redis Cluster of one node. It refuses every command, transaction and script that touches more than one slot. */
const server = await RedisServer.start(t, '--cluster-enabled', 'yes', '--cluster-port', String(await freePort()))
const redis = await server.connect(t)
await redis.call('CLUSTER', 'ADDSLOTSRANGE', '0', '16383')
const log = pino({ level: 'silent' })

void t.test('no two keys are equal, for any names in them', t => {
  const all = ['a', 'b', 'a:b'].flatMap(name => [
    accountKeys.user(name),
    accountKeys.token(name),
    keys.sessionPrefix + name,
    keys.rateLimit('rule', name),
    keys.rateLimit(name, '192.0.2.1'),
    accountKeys.failedLogins(name, '192.0.2.1'),
    accountKeys.failedLogins('a', name),
    accountKeys.signIns(name),
    accountKeys.guesses(name),
    accountKeys.guessTurns(name),
    accountKeys.knownClients(name),
    uploadKeys.stored(name),
    uploadKeys.reserved(name),
    claimKey(name),
    keys.cache(name),
    keys.lease(name),
    keys.liveUpload(name),
  ])
  t.equal(new Set(all).size, all.length)
  for (const key of all) t.match(key, /^outpost:/, 'nothing else in a shared Redis is touched')
  t.end()
})

void t.test('a Redis Cluster takes every command of the services and the built-in app', async t => {
  await until(async () => (await server.send('CLUSTER', 'INFO')).includes('cluster_state:ok'), 'the cluster')
  await t.rejects(redis.mset('a', '1', 'b', '2'), /CROSSSLOT/, 'it is one')

  const accounts = new Accounts(redis, new PasswordHasher({ atOnce: 1, waiting: 8 }))
  await accounts.register('alice', 'correct horse')
  t.ok(await accounts.find('alice'))
  await accounts.storeToken('token', { username: 'alice', signInId: 'one' })
  t.ok(await accounts.tokenRecord('token'))

  const signIns = new SignIns(redis, createSessionStore(redis, { extend: true }))
  const verified = (await accounts.verify('alice', 'correct horse'))!
  t.ok(await signIns.add('alice', verified.stored, 'one', { sessionId: 's', tokenHash: 'h', client: 'c', agent: '' }))
  t.ok(await signIns.isAlive('alice', 'one'))
  t.ok(await accounts.changePassword(verified, 'battery staple'))
  t.notOk(await signIns.isAlive('alice', 'one'))

  const guesses = new GuessLimit(redis, { max: 1, windowMs: 60_000 })
  t.equal(await guesses.admit('alice', '2001:db8::1'), 'within')
  await guesses.failed('alice', 'within')
  t.equal(await guesses.admit('alice', '2001:db8::1'), 'turn')
  await guesses.succeeded('alice', '2001:db8::1', 'turn')
  t.equal(await guesses.admit('alice', '2001:db8::1'), 'known')

  const quota = new UploadQuota(redis, 10)
  await (await quota.begin('alice', 'u', 5)).grow(6)
  await quota.stored('alice', 'u', 6)
  await quota.removed('alice', 'u')
  await quota.failed('alice', 'u')

  const owners = new ProductOwners(redis, { stat: () => Promise.resolve(undefined) })
  t.strictSame(await owners.admit('tea', 'products/tea.json', 'alice'), { owner: 'alice' })

  const backoff = new LoginBackoff(redis)
  await backoff.failed('alice', '2001:db8::1')
  t.equal(await backoff.wait('alice', '2001:db8::1'), 0)
  await backoff.succeeded('alice', '2001:db8::1')

  const cache = new Cache(redis, log)
  await cache.write('a', 600, 'value', () => Promise.resolve())
  t.match(await cache.read('a', 600, () => Promise.resolve('')), { value: 'value', state: 'HIT' })
  await cache.invalidate('a')
  t.match(await cache.read('a', 600, () => Promise.resolve('loaded')), { value: 'loaded', state: 'MISS' })

  const uploads = new LiveUploads(redis, log)
  uploads.begun('u-1')
  uploads.begun('u-2')
  await until(async () => (await redis.exists(keys.liveUpload('u-2'))) === 1, 'it to be known')
  uploads.stop()

  t.ok(await takeLease(redis, 'work', 1_000))

  const sessions = createSessionStore(redis, { extend: true })
  await sessions.set('s-1', { cookie: { originalMaxAge: null } })
  t.ok(await sessions.get('s-1'))
  await sessions.destroy('s-1')
})

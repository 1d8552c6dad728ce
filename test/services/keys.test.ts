import { pino } from 'pino'
import t from 'tap'
import { Accounts, hashOfToken } from '#src/app/accounts/accounts.js'
import { Cache } from '#src/services/cache.js'
import { keys } from '#src/services/keys.js'
import { accountKeys } from '#src/app/accounts/account-keys.js'
import { takeLease } from '#src/services/lease.js'
import { LiveUploads } from '#src/services/live-uploads.js'
import { LoginBackoff } from '#src/app/accounts/login-backoff.js'
import { PasswordHasher } from '#src/app/accounts/password-hasher.js'
import { createSessionStore } from '#src/services/sessions.js'
import { until } from '../helpers/deadline.js'
import { freePort, RedisServer } from '../helpers/redis-server.js'

/** A Redis Cluster of one node. It refuses every command, transaction and script that touches more than one slot. */
const server = await RedisServer.start(t, '--cluster-enabled', 'yes', '--cluster-port', String(await freePort()))
const redis = await server.connect(t)
await redis.call('CLUSTER', 'ADDSLOTSRANGE', '0', '16383')
const log = pino({ level: 'silent' })

void t.test('no two keys are equal, whatever names are in them', t => {
  const all = ['a', 'b', 'a:b'].flatMap(name => [
    accountKeys.user(name),
    accountKeys.token(name),
    keys.sessionPrefix + name,
    keys.rateLimit('rule', name),
    keys.rateLimit(name, '192.0.2.1'),
    accountKeys.failedLogins(name, '192.0.2.1'),
    accountKeys.failedLogins('a', name),
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
  const token = await accounts.issueToken({ username: 'alice', sessionId: 's-1' })
  t.ok(await accounts.tokenRecord(token))
  await accounts.revokeToken(hashOfToken(token))

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

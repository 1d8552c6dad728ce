import t from 'tap'
import { uploadKeys } from '#src/app/uploads/upload-keys.js'
import { UploadQuota } from '#src/app/uploads/upload-quota.js'
import { RedisServer } from '../../helpers/redis-server.js'

const MIB = 1024 ** 2
const server = await RedisServer.start(t)
const redis = await server.connect(t)

let now = Date.now()
const quota = new UploadQuota(redis, 100 * MIB, () => now)
const elsewhere = new UploadQuota(await server.connect(t), 100 * MIB, () => now)
const reached = { name: 'QuotaReachedError' }

async function store(owner: string, key: string, bytes: number): Promise<void> {
  const reservation = await quota.begin(owner, key, 0)
  await reservation.grow(bytes)
  await elsewhere.stored(owner, key, bytes)
}

void t.test('an account may store as much as its quota, to the byte, and more after it has removed some', async t => {
  await store('alice', 'one', 60 * MIB)
  await store('alice', 'two', 40 * MIB)
  await t.rejects(store('alice', 'three', 1), reached)
  await store('bob', 'three', 1)
  await elsewhere.removed('alice', 'one')
  await store('alice', 'four', 60 * MIB)
  await t.rejects(store('alice', 'five', 1), reached)
})

void t.test('uploads under way count, at every worker', async t => {
  const first = await quota.begin('carol', 'one', 50 * MIB)
  await t.rejects(elsewhere.begin('carol', 'two', 51 * MIB), reached)
  const second = await elsewhere.begin('carol', 'two', 0)
  await second.grow(40 * MIB)
  await t.rejects(first.grow(61 * MIB), reached)
  await quota.failed('carol', 'one')
  await second.grow(100 * MIB)
})

void t.test('many uploads that begin at the same time do not pass the quota together', async t => {
  const begun = await Promise.allSettled(
    Array.from({ length: 20 }, (_, i) => (i % 2 === 0 ? quota : elsewhere).begin('dave', `key-${i}`, 30 * MIB)),
  )
  t.equal(begun.filter(({ status }) => status === 'fulfilled').length, 3)
})

void t.test('a file that is removed twice, or was never counted, frees nothing more', async t => {
  await store('erin', 'one', 60 * MIB)
  await store('erin', 'two', 40 * MIB)
  await Promise.all([quota.removed('erin', 'one'), elsewhere.removed('erin', 'one'), quota.removed('erin', 'none')])
  t.equal(Number(await redis.hget(uploadKeys.stored('erin'), 'total')), 40 * MIB)
  await t.rejects(quota.begin('erin', 'three', 61 * MIB), reached)
})

void t.test('a file whose count was repeated counts once', async t => {
  await quota.stored('frank', 'one', 60 * MIB)
  await quota.stored('frank', 'one', 60 * MIB)
  t.equal(Number(await redis.hget(uploadKeys.stored('frank'), 'total')), 60 * MIB)
})

void t.test('the reservations of a worker that exited are free again after an hour', async t => {
  await quota.begin('grace', 'lost', 90 * MIB)
  await t.rejects(quota.begin('grace', 'one', 20 * MIB), reached)
  now += 60 * 60_000 + 1
  await quota.begin('grace', 'one', 20 * MIB)
})

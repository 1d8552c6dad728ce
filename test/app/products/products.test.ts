import { pino } from 'pino'
import t from 'tap'
import { ObjectStore } from '#src/object-store/object-store.js'
import { Cache } from '#src/services/cache.js'
import { keys } from '#src/services/keys.js'
import { ObjectStorage } from '#src/services/object-storage.js'
import { claimKey, ProductOwners } from '#src/app/products/product-owners.js'
import { PRODUCT_TTL_SECONDS, Products } from '#src/app/products/products.js'
import { temporaryFolder } from '../../helpers/harness.js'
import { RedisServer } from '../../helpers/redis-server.js'

const access = { accessKey: 'outpost-test', secretKey: 'outpost-test-secret', region: 'us-east-1' }

const server = await RedisServer.start(t)
const store = new ObjectStore({ ...access, directory: temporaryFolder(t), port: 0 })
const { port } = await store.start()
t.teardown(() => store.stop())
const storage = new ObjectStorage({ ...access, bucket: 'things', endpoint: `http://127.0.0.1:${port}` })
t.teardown(() => storage.close())
const redis = await server.connect(t)

/** The products of two workers. */
const products = new Products(storage, new Cache(redis, pino({ level: 'silent' })), new ProductOwners(redis, storage))
const other = await server.connect(t)
const elsewhere = new Products(storage, new Cache(other, pino({ level: 'silent' })), new ProductOwners(other, storage))

void t.test('a saved product is in the storage and in the cache of every worker', async t => {
  const saved = await products.save({ id: 'tea', name: 'Grüner Tee', price: 499 }, 'alice')
  t.match(saved, { id: 'tea', name: 'Grüner Tee', price: 499, updatedAt: /^\d{4}-\d\d-\d\dT[\d:.]+Z$/ })
  t.strictSame(await storage.getJson('products/tea.json'), saved)
  t.strictSame(await elsewhere.find('tea'), { value: saved, state: 'HIT' })
})

void t.test('a product that is not cached is read from the storage once', async t => {
  const coffee = { id: 'coffee', name: 'Coffee', price: 899, updatedAt: '2024-05-06T07:08:09.000Z' }
  await storage.putJson('products/coffee.json', coffee)
  t.strictSame(await products.find('coffee'), { value: coffee, state: 'MISS' })
  t.strictSame(await elsewhere.find('coffee'), { value: coffee, state: 'HIT' })
})

void t.test('every worker sees a changed product at once', async t => {
  await products.save({ id: 'tea', name: 'Tee', price: 1 }, 'alice')
  const changed = await elsewhere.save({ id: 'tea', name: 'Tee', price: 2 }, 'alice')
  t.strictSame(await products.find('tea'), { value: changed, state: 'HIT' })
})

void t.test('a missing product is found as soon as it is saved', async t => {
  t.strictSame(await products.find('milk'), { value: undefined, state: 'MISS' })
  t.strictSame(await elsewhere.find('milk'), { value: undefined, state: 'HIT' })
  const saved = await elsewhere.save({ id: 'milk', name: 'Milk', price: 119 }, 'alice')
  t.strictSame(await products.find('milk'), { value: saved, state: 'HIT' })
})

void t.test('a malformed product record is an error, and is not cached', async t => {
  await storage.putJson('products/odd.json', { id: 'odd', price: 'much' })
  await t.rejects(products.find('odd'), { name: 'ZodError' })
  const mended = { id: 'odd', name: 'Odd', price: 1, updatedAt: '2024-05-06T07:08:09.000Z' }
  await storage.putJson('products/odd.json', mended)
  t.strictSame(await products.find('odd'), { value: mended, state: 'MISS' })
})

void t.test('a product belongs to the account that made it', async t => {
  const made = await products.save({ id: 'owned', name: 'Owned', price: 1 }, 'alice')
  await t.rejects(elsewhere.save({ id: 'owned', name: 'Taken', price: 2 }, 'bob'), { code: 'NOT_OWNER', status: 403 })
  t.strictSame(await products.find('owned'), { value: made, state: 'HIT' })
  await elsewhere.save({ id: 'owned', name: 'Owned', price: 3 }, 'alice')
  await redis.del(claimKey('owned'))
  await t.rejects(products.save({ id: 'owned', name: 'Taken', price: 2 }, 'bob'), { code: 'NOT_OWNER' })
  t.equal(await redis.exists(claimKey('owned')), 0, 'and keeps no claim that would refuse the owner')
  await elsewhere.save({ id: 'owned', name: 'Owned', price: 4 }, 'alice')
})

void t.test('one of several accounts that make a product at the same time owns it', async t => {
  const names = ['alice', 'bob', 'carol', 'dave']
  const owners: string[] = []
  const save = (id: string) => (name: string, i: number) =>
    (i % 2 === 0 ? products : elsewhere).save({ id, name, price: 1 }, name).then(
      () => owners.push(name),
      (error: unknown) => t.match(error, { code: 'NOT_OWNER' }),
    )
  for (let round = 0; round < 5; round++) {
    owners.length = 0
    await Promise.all(names.map(save(`raced-${round}`)))
    t.equal(owners.length, 1)
    await products.save({ id: `raced-${round}`, name: 'n', price: 1 }, owners[0]!)
  }
})

void t.test('a product of a version that noted no owner belongs to the first account that writes it', async t => {
  await storage.putJson('products/old.json', { id: 'old', name: 'n', price: 1, updatedAt: '2024-05-06T07:08:09.000Z' })
  await products.save({ id: 'old', name: 'n', price: 2 }, 'bob')
  await t.rejects(elsewhere.save({ id: 'old', name: 'n', price: 3 }, 'alice'), { code: 'NOT_OWNER' })
})

void t.test('with the storage away, cached products are served and saving fails', async t => {
  const saved = await products.save({ id: 'tea', name: 'Tee', price: 3 }, 'alice')
  const left = await redis.pttl(keys.cache('product:tea'))
  t.ok(left > PRODUCT_TTL_SECONDS * 1_000, 'fresh for its time, and stale for a while after')
  await store.stop()
  t.strictSame(await elsewhere.find('tea'), { value: saved, state: 'HIT' })
  await t.rejects(products.find('cocoa'), { name: 'StorageUnavailableError' })
  await t.rejects(products.save({ id: 'tea', name: 'Tee', price: 4 }, 'alice'), { name: 'StorageUnavailableError' })
  t.ok((await redis.pttl(keys.cache('product:tea'))) > PRODUCT_TTL_SECONDS * 1_000, 'for as long as before')
  t.strictSame(await elsewhere.find('tea'), { value: saved, state: 'HIT' })
})

import { once } from 'node:events'
import { pino } from 'pino'
import t, { type Test } from 'tap'
import { Cache, type CacheTimes } from '#src/services/cache.js'
import { keys } from '#src/services/keys.js'
import { createRedis } from '#src/services/redis.js'
import { until, within } from '../helpers/deadline.js'
import { RedisServer } from '../helpers/redis-server.js'

const silent = pino({ level: 'silent' })
const TTL = 600

/** One cache per worker, each with a connection of its own. */
async function caches(t: Test, count: number, times: Partial<CacheTimes> = {}): Promise<Cache[]> {
  const server = await RedisServer.start(t)
  return Promise.all(
    Array.from({ length: count }, async () => {
      const redis = createRedis({ url: server.url }, silent)
      t.teardown(() => redis.disconnect())
      await once(redis, 'ready')
      return new Cache(redis, silent, times)
    }),
  )
}

/** A load that ends when the test decides, and reports when it has begun. */
class Load<T> {
  begun = 0
  readonly #endings: Array<{ resolve(value: T): void; reject(error: Error): void }> = []

  readonly run = (): Promise<T> => {
    this.begun += 1
    return new Promise((resolve, reject) => this.#endings.push({ resolve, reject }))
  }

  async hasBegun(times = 1): Promise<void> {
    await until(() => this.begun >= times, `${times} loads to begin`)
  }

  end(value: T): void {
    this.#endings.shift()!.resolve(value)
  }

  fail(message: string): void {
    this.#endings.shift()!.reject(new Error(message))
  }
}

const loading =
  <T>(value: T): (() => Promise<T>) =>
  () =>
    Promise.resolve(value)

const never = (): Promise<never> => Promise.reject(new Error('this should have been in the cache'))

void t.test('a value is loaded once and then served from the cache', async t => {
  const [one, two] = await caches(t, 2)
  t.strictSame(await one!.read('a', TTL, loading({ n: 1 })), { value: { n: 1 }, state: 'MISS' })
  t.strictSame(await one!.read('a', TTL, never), { value: { n: 1 }, state: 'HIT' })
  t.strictSame(await two!.read('a', TTL, never), { value: { n: 1 }, state: 'HIT' })
  t.strictSame(await two!.getOrLoad('b', TTL, loading('text')), 'text')
})

void t.test('one of a hundred readers over several workers loads, and the others get its value', async t => {
  const all = await caches(t, 4)
  const load = new Load<string>()
  const reads = Array.from({ length: 100 }, (_, i) => all[i % 4]!.read('a', TTL, load.run))
  await load.hasBegun()
  // After a round trip on each connection, all readers have looked.
  await Promise.all(all.map(cache => cache.read('other', TTL, loading(1))))
  load.end('value')
  const found = await Promise.all(reads)
  t.equal(load.begun, 1)
  t.ok(found.every(({ value }) => value === 'value'))
  t.equal(found.filter(({ state }) => state === 'MISS').length, 1)
})

void t.test('a stale value is served while one reader loads', async t => {
  const [one, two] = await caches(t, 2)
  await one!.read('b', TTL, loading('old'))
  await ageOf(t, one!, 'b')
  const load = new Load<string>()
  const reads = await Promise.all([one!, two!, one!, two!].map(cache => cache.read('b', TTL, load.run)))
  t.strictSame(reads, Array(4).fill({ value: 'old', state: 'STALE' }))
  await load.hasBegun()
  t.equal(load.begun, 1)
  load.end('new')
  await one!.stop()
  await two!.stop()
  t.strictSame(await two!.read('b', TTL, never), { value: 'new', state: 'HIT' })
})

/** Makes an entry stale, as if its time to live had passed. */
async function ageOf(t: Test, cache: Cache, name: string): Promise<void> {
  const { redis } = cache as unknown as { redis: ReturnType<typeof createRedis> }
  t.equal(await redis.hset(keys.cache(name), 'fresh', '1'), 0)
}

void t.test('a stale value outlives a failed load', async t => {
  const [cache] = await caches(t, 1)
  await cache!.read('a', TTL, loading('old'))
  await ageOf(t, cache!, 'a')
  for (let i = 0; i < 3; i++) {
    t.strictSame(await cache!.read('a', TTL, never), { value: 'old', state: 'STALE' })
    await cache!.stop()
  }
})

void t.test('a missing value is cached for a moment, and a write ends that', async t => {
  const [cache] = await caches(t, 1)
  t.strictSame(await cache!.read('a', TTL, loading(undefined)), { value: undefined, state: 'MISS' })
  t.strictSame(await cache!.read('a', TTL, never), { value: undefined, state: 'HIT' })
  const { redis } = cache as unknown as { redis: ReturnType<typeof createRedis> }
  t.ok((await redis.pttl(keys.cache('a'))) <= 5_000)
  await cache!.write('a', TTL, 'there', () => Promise.resolve())
  t.strictSame(await cache!.read('a', TTL, never), { value: 'there', state: 'HIT' })
})

void t.test('a failed load fails the readers that wait for it, and no others', async t => {
  const [one, two] = await caches(t, 2)
  const load = new Load<string>()
  const first = one!.read('a', TTL, load.run)
  await load.hasBegun()
  const second = two!.read('a', TTL, never)
  await two!.read('other', TTL, loading(1))
  const told = Promise.all([
    t.rejects(first, { message: 'no such luck' }),
    t.rejects(second, { name: 'CacheLoadError' }),
  ])
  load.fail('no such luck')
  await told
  t.strictSame(await two!.read('a', TTL, loading('value')), { value: 'value', state: 'MISS' })
})

void t.test('the lock of a dead loader expires', async t => {
  const [dead, alive] = await caches(t, 2, { loadMs: 100 })
  const load = new Load<string>()
  void dead!.read('a', TTL, load.run)
  await load.hasBegun()
  t.strictSame(await within(alive!.read('a', TTL, loading('value')), 'the next load'), {
    value: 'value',
    state: 'MISS',
  })
  load.end('from the dead')
  t.strictSame(await alive!.read('a', TTL, never), { value: 'value', state: 'HIT' })
})

void t.test('a write is seen at once, and an earlier load does not undo it', async t => {
  const [reader, writer] = await caches(t, 2)
  const load = new Load<string>()
  const reading = reader!.read('a', TTL, load.run)
  await load.hasBegun()
  await writer!.write('a', TTL, 'new', () => Promise.resolve())
  t.strictSame(await reader!.read('a', TTL, never), { value: 'new', state: 'HIT' })
  load.end('old')
  await reading
  t.strictSame(await reader!.read('a', TTL, never), { value: 'new', state: 'HIT' })
})

void t.test('a load that began during a write does not undo it', async t => {
  const [reader, writer] = await caches(t, 2)
  const work = new Load<undefined>()
  const load = new Load<string>()
  const writing = writer!.write('a', TTL, 'new', work.run)
  await work.hasBegun()
  const reading = reader!.read('a', TTL, load.run)
  await load.hasBegun()
  work.end(undefined)
  await writing
  load.end('old')
  t.strictSame(await reading, { value: 'old', state: 'MISS' })
  t.strictSame(await reader!.read('a', TTL, never), { value: 'new', state: 'HIT' })
})

void t.test('after the exit of a writer, values live no longer than a write may take', async t => {
  const [reader, writer] = await caches(t, 2, { writeMs: 150 })
  await reader!.read('a', TTL, loading('old'))
  const work = new Load<undefined>()
  void writer!.write('a', TTL, 'new', work.run)
  await work.hasBegun()
  t.strictSame(await reader!.read('a', TTL, never), { value: 'old', state: 'HIT' })
  const isNew = async (): Promise<boolean> => (await reader!.getOrLoad('a', TTL, loading('new'))) === 'new'
  await until(isNew, 'the old value to go')
})

void t.test('after overlapping writes the next reader loads', async t => {
  for (const order of [
    [0, 1],
    [1, 0],
  ]) {
    const [one, two] = await caches(t, 2)
    const works = [new Load<undefined>(), new Load<undefined>()]
    const first = one!.write('a', TTL, 'first', works[0]!.run)
    await works[0]!.hasBegun()
    const second = two!.write('a', TTL, 'second', works[1]!.run)
    await works[1]!.hasBegun()
    const writes = [first, second]
    for (const index of order) {
      works[index]!.end(undefined)
      await writes[index]
    }
    t.strictSame(await one!.read('a', TTL, loading('what is stored')), { value: 'what is stored', state: 'MISS' })
  }
})

void t.test('each of several writes in a row is seen', async t => {
  const [one, two] = await caches(t, 2)
  for (let n = 0; n < 20; n++) {
    await [one!, two!][n % 2]!.write('a', TTL, n, () => Promise.resolve())
    t.strictSame(await [one!, two!][(n + 1) % 2]!.read('a', TTL, never), { value: n, state: 'HIT' })
  }
})

void t.test('after a failed write the old value lives for a moment only', async t => {
  const [cache] = await caches(t, 1, { writeMs: 200 })
  await cache!.read('a', TTL, loading('old'))
  await t.rejects(
    cache!.write('a', TTL, 'new', () => Promise.reject(new Error('storage away'))),
    /storage away/,
  )
  const { redis } = cache as unknown as { redis: ReturnType<typeof createRedis> }
  t.ok((await redis.pttl(keys.cache('a'))) <= 200)
})

void t.test('an invalidated value is loaded again, even if a load was under way', async t => {
  const [reader, other] = await caches(t, 2)
  await reader!.read('a', TTL, loading('old'))
  await other!.invalidate('a')
  const load = new Load<string>()
  const reading = reader!.read('a', TTL, load.run)
  await load.hasBegun()
  await other!.invalidate('a')
  load.end('old')
  await reading
  t.strictSame(await reader!.read('a', TTL, loading('new')), { value: 'new', state: 'MISS' })
})

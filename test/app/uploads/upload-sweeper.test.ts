import { setImmediate as nextTurn } from 'node:timers/promises'
import { pino } from 'pino'
import t, { type Test } from 'tap'
import { ObjectStore } from '#src/object-store/object-store.js'
import { keys } from '#src/services/keys.js'
import { LiveUploads } from '#src/services/live-uploads.js'
import { MultipartUpload, type UploadWitness } from '#src/services/multipart-upload.js'
import { ObjectStorage } from '#src/services/object-storage.js'
import { StorageClient } from '#src/services/storage-client.js'
import { UploadSweeper, type SweeperOptions } from '#src/app/uploads/upload-sweeper.js'
import { FakeClock } from '../../helpers/fake-clock.js'
import { temporaryFolder } from '../../helpers/harness.js'
import { RedisServer } from '../../helpers/redis-server.js'

const log = pino({ level: 'silent' })
const access = { accessKey: 'outpost-test', secretKey: 'outpost-test-secret', region: 'us-east-1' }

const server = await RedisServer.start(t)
const redis = await server.connect(t)
const store = new ObjectStore({ ...access, directory: temporaryFolder(t), port: 0 })
const { port } = await store.start()
t.teardown(() => store.stop())
const address = { ...access, bucket: 'things', endpoint: `http://127.0.0.1:${port}` }
const client = new StorageClient(address)
const storage = new ObjectStorage(address)
t.teardown(() => {
  client.close()
  storage.close()
})
await storage.check()

const witness = new LiveUploads(redis, log)
t.teardown(() => witness.stop())
/** A worker whose registration has expired, like that of a killed worker. */
const nobody: UploadWitness = { begun: () => undefined, ended: () => undefined }

t.afterEach(async () => {
  await redis.flushall()
  for (const upload of await unfinished()) await storage.removeIncompleteUpload(upload)
})

function begin(key: string, by: UploadWitness): Promise<MultipartUpload> {
  return MultipartUpload.begin(client, key, {}, by)
}

async function unfinished(): Promise<Array<{ key: string; uploadId: string }>> {
  const found = []
  for await (const upload of storage.incompleteUploads('')) found.push(upload)
  return found
}

async function unfinishedKeys(): Promise<string[]> {
  return (await unfinished()).map(({ key }) => key).sort()
}

/** In most of these tests every upload is old enough to be swept. */
function sweeperOf(options: Partial<SweeperOptions> = {}): UploadSweeper {
  return new UploadSweeper({ redis, storage, log, prefix: 'uploads/', minAgeMs: -60_000, ...options })
}

void t.test('the sweeper removes uploads without a live worker, and no others', async t => {
  await begin('uploads/dead', nobody)
  await begin('uploads/dead-too', nobody)
  const alive = await begin('uploads/alive', witness)
  await begin('elsewhere/dead', nobody)
  t.equal(await sweeperOf().sweep(), 2)
  t.strictSame(await unfinishedKeys(), ['elsewhere/dead', 'uploads/alive'])
  await alive.finish(Buffer.from('the rest'))
  t.match(await storage.stat('uploads/alive'), { size: 8 })
})

void t.test('the sweeper leaves young uploads alone', async t => {
  await begin('uploads/dead', nobody)
  t.equal(await sweeperOf({ minAgeMs: 60_000 }).sweep(), 0)
  t.strictSame(await unfinishedKeys(), ['uploads/dead'])
})

void t.test('an upload that ends while it is swept does no harm', async t => {
  await begin('uploads/a', nobody)
  await begin('uploads/b', nobody)
  const sweeper = sweeperOf({
    storage: {
      async *incompleteUploads(prefix) {
        for await (const upload of storage.incompleteUploads(prefix)) {
          await storage.removeIncompleteUpload(upload)
          yield upload
        }
      },
      removeIncompleteUpload: upload => storage.removeIncompleteUpload(upload),
    },
  })
  t.equal(await sweeper.sweep(), 2)
})

/** Sweepers of a cluster's workers, in a storage without old uploads. The test decides when their turns come. */
function started(t: Test, count: number): { clock: FakeClock; sweeps: () => number; stop: () => Promise<unknown> } {
  const clock = new FakeClock(t)
  let sweeps = 0
  const empty: SweeperOptions['storage'] = {
    async *incompleteUploads() {
      await nextTurn()
      sweeps += 1
      yield* []
    },
    removeIncompleteUpload: () => Promise.reject(new Error('there is nothing')),
  }
  const sweepers = Array.from({ length: count }, () => sweeperOf({ storage: empty, intervalMs: 20_000 }))
  for (const sweeper of sweepers) sweeper.start()
  return { clock, sweeps: () => sweeps, stop: () => Promise.all(sweepers.map(sweeper => sweeper.stop())) }
}

/** Each sweeper waits for its next turn. */
async function turnsOver(clock: FakeClock, count: number): Promise<void> {
  while (clock.pending < count) await nextTurn()
}

void t.test('the sweeper runs some time after its start and then regularly, until it is stopped', async t => {
  const { clock, sweeps, stop } = started(t, 1)
  clock.advance(14_999)
  t.equal(clock.pending, 1)
  clock.advance(1)
  await turnsOver(clock, 1)
  t.equal(sweeps(), 1)

  await redis.del(keys.lease('sweep-uploads'))
  clock.advance(20_000)
  await stop()
  t.equal(sweeps(), 2, 'a sweep that is under way is waited for')
  t.equal(clock.pending, 0)
})

void t.test('one of several workers sweeps in each turn', async t => {
  const { clock, sweeps, stop } = started(t, 3)
  for (let turn = 1; turn <= 2; turn++) {
    clock.advance(20_000)
    await turnsOver(clock, 3)
    t.equal(sweeps(), turn)
    const left = await redis.pttl(keys.lease('sweep-uploads'))
    t.ok(left > 0 && left <= 18_000, 'the next turn will find it free')
    await redis.del(keys.lease('sweep-uploads'))
  }
  await stop()
})

void t.test('the sweeper runs again after a failed turn', async t => {
  const { clock, sweeps, stop } = started(t, 1)
  await redis.config('SET', 'maxmemory', '1')
  clock.advance(20_000)
  await turnsOver(clock, 1)
  t.equal(sweeps(), 0)
  await redis.config('SET', 'maxmemory', '0')
  clock.advance(20_000)
  await turnsOver(clock, 1)
  t.equal(sweeps(), 1)
  await stop()
})

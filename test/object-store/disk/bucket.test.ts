import { renameSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import type { Bucket } from '#src/object-store/disk/bucket.js'
import { Buckets } from '#src/object-store/disk/buckets.js'
import { TempFolder } from '#src/object-store/disk/temp-folder.js'

async function bucketWithObject(t: Test): Promise<{ bucket: Bucket; folder: string }> {
  const directory = t.testdir({ temp: {}, buckets: {} })
  const temp = new TempFolder(join(directory, 'temp'), { require: () => Promise.resolve() })
  const buckets = new Buckets(join(directory, 'buckets'), { temp, now: Date.now, warn: message => t.fail(message) })
  await buckets.create('bucket')
  const bucket = buckets.get('bucket')
  const chunks = (async function* () {
    yield await Promise.resolve(Buffer.from('content'))
  })()
  await bucket.put('key', { length: 7, expectedMd5: undefined, chunks }, { headers: {}, metadata: {} }, {})
  return { bucket, folder: join(directory, 'buckets', 'bucket') }
}

/** Calls `work` in the moment in which the last object is gone from the index, but not yet for certain from the disk. */
function whenEmpty(bucket: Bucket, work: () => void): void {
  const { index } = bucket
  const remove = index.delete.bind(index)
  index.delete = key => {
    remove(key)
    work()
  }
}

void t.test('the last object may be deleted in the moment in which its bucket is removed', async t => {
  const { bucket, folder } = await bucketWithObject(t)
  whenEmpty(bucket, () => {
    bucket.close()
    renameSync(folder, `${folder}-gone`)
  })
  await t.resolves(bucket.remove('key', {}))
})

void t.test('a folder that is lost while an object is deleted is a fault, as long as its bucket is there', async t => {
  const { bucket, folder } = await bucketWithObject(t)
  whenEmpty(bucket, () => renameSync(folder, `${folder}-gone`))
  await t.rejects(bucket.remove('key', {}), { code: 'ENOENT' })
})

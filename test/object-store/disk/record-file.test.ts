import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { CorruptRecordError, encodeRecord, openRecord, readRecordSync } from '#src/object-store/disk/record-file.js'

async function readBoth(path: string) {
  const { handle, ...opened } = await openRecord(path)
  await handle.close()
  t.same(readRecordSync(path), opened)
  return opened
}

void t.test('body and record come back, in all sizes', async t => {
  const directory = t.testdir()
  for (const body of ['', 'x', 'y'.repeat(100_000)]) {
    for (const record of [{ key: 'a' }, { key: 'ü😀'.repeat(2_000) }]) {
      const path = join(directory, 'file')
      await writeFile(path, Buffer.concat([Buffer.from(body), encodeRecord(record)]))
      t.same(await readBoth(path), { record, bodyLength: body.length })
    }
  }
})

void t.test('a damaged file is known to be damaged', async t => {
  const path = join(t.testdir(), 'file')
  const whole = Buffer.concat([Buffer.from('body'), encodeRecord({ key: 'a' })])
  const changed = (at: number): Buffer => {
    const copy = Buffer.from(whole)
    copy[at] = (copy[at] ?? 0) ^ 1
    return copy
  }
  const damaged = [Buffer.alloc(0), Buffer.from('short'), whole.subarray(0, -1), changed(6), changed(whole.length - 1)]
  damaged.push(changed(whole.length - 6), changed(whole.length - 16))
  for (const bytes of damaged) {
    await writeFile(path, bytes)
    t.throws(() => readRecordSync(path), CorruptRecordError)
    await t.rejects(openRecord(path), CorruptRecordError)
  }
  t.equal((await readFile(path)).length, whole.length)
})

import { once } from 'node:events'
import t from 'tap'
import { ShortageError, shortageOf, SpaceWatch } from '#src/primary/releases/space-watch.js'

const GIB = 1024 ** 3
/** A disk of 100 GiB, and with a million files. */
const space = (freeBytes: number, ffree = 500_000, files = 1_000_000) => {
  return { bavail: freeBytes / 4096, blocks: (100 * GIB) / 4096, bsize: 4096, files, ffree }
}

void t.test('the least of 1 GiB and 5 %, or MIN_FREE_BYTES, stays free, and so do some files', t => {
  t.equal(shortageOf(space(GIB), undefined), undefined)
  t.match(shortageOf(space(GIB - 4096), undefined), 'less than 1024 MiB of the disk are free (MIN_FREE_BYTES)')
  t.equal(shortageOf(space(GIB / 2), GIB / 2), undefined)
  t.match(shortageOf({ ...space(0), blocks: 4096 * 20 }, undefined), 'less than 16 MiB')
  t.match(shortageOf(space(GIB, 9_999), undefined), 'less than 1 % of the files')
  t.equal(shortageOf(space(GIB, 0, 0), undefined), undefined, 'a file system that does not count files')
  t.equal(shortageOf(space(0, 0), 0), undefined, 'MIN_FREE_BYTES=0 asks for none')
  t.end()
})

void t.test('a watch reports a shortage that comes later, and nothing after it was stopped', async t => {
  let free = 2 * GIB
  const watch = new SpaceWatch({ folder: '/', minBytes: undefined, report: () => Promise.resolve(space(free)) })
  await watch.start()
  free = 0
  await once(watch.signal, 'abort')
  t.type(watch.signal.reason, ShortageError)
  let answer: () => void = () => undefined
  const report = () => new Promise<ReturnType<typeof space>>(resolve => (answer = () => resolve(space(0))))
  const stopped = new SpaceWatch({ folder: '/', minBytes: undefined, report })
  const started = stopped.start()
  stopped.stop()
  answer()
  await started
  t.notOk(stopped.signal.aborted)
})

void t.test('a watch begins with an error where there is too little already', async t => {
  const watch = new SpaceWatch({ folder: '/', minBytes: undefined, report: () => Promise.resolve(space(0)) })
  await t.rejects(watch.start(), new ShortageError('less than 1024 MiB of the disk are free (MIN_FREE_BYTES)'))
})

void t.test('a disk without a figure of its free space ends nothing', async t => {
  const report = () => Promise.reject(new Error('EIO'))
  const watch = new SpaceWatch({ folder: '/', minBytes: undefined, report })
  await watch.start()
  watch.stop()
  t.notOk(watch.signal.aborted)
})

void t.test('a disk that hangs holds up nothing, and is asked once', async t => {
  let asked = 0
  const report = () => {
    asked += 1
    return new Promise<never>(() => undefined)
  }
  const watch = new SpaceWatch({ folder: '/', minBytes: undefined, report, answerMs: 1 })
  await watch.start()
  watch.stop()
  t.equal(asked, 1)
})

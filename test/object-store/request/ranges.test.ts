import t from 'tap'
import { parseCopyRange, parseRange } from '#src/object-store/request/ranges.js'

void t.test('one range of bytes is understood', t => {
  t.same(parseRange('bytes=0-0', 10), { start: 0, end: 1 })
  t.same(parseRange('bytes=3-', 10), { start: 3, end: 10 })
  t.same(parseRange('bytes=3-99', 10), { start: 3, end: 10 })
  t.same(parseRange('bytes=-4', 10), { start: 6, end: 10 })
  t.same(parseRange('bytes=-99', 10), { start: 0, end: 10 })
  t.end()
})

void t.test('anything but a single range means the whole object', t => {
  for (const header of [undefined, '', 'bytes=', 'bytes=-', 'bytes=5-3', 'bytes=1-2,4-5', 'lines=1-2', 'bytes=a-b']) {
    t.equal(parseRange(header, 10), undefined, String(header))
  }
  t.end()
})

void t.test('a range outside the object is refused', t => {
  for (const header of ['bytes=10-', 'bytes=10-20', 'bytes=-0']) {
    t.throws(() => parseRange(header, 10), { code: 'InvalidRange' }, header)
  }
  t.throws(() => parseRange('bytes=0-', 0), { code: 'InvalidRange' })
  t.throws(() => parseRange('bytes=-1', 0), { code: 'InvalidRange' })
  t.end()
})

void t.test('the range of a copy must be inside its source', t => {
  t.same(parseCopyRange('bytes=2-9', 10), { start: 2, end: 10 })
  t.equal(parseCopyRange(undefined, 10), undefined)
  for (const header of ['bytes=2-10', 'bytes=5-4', 'bytes=2-', 'bytes=-2', '']) {
    t.throws(() => parseCopyRange(header, 10), { code: 'InvalidArgument' }, header)
  }
  t.end()
})

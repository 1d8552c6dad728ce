import t from 'tap'
import { CLOSE_SERVICE_RESTART, FrameBoundaries } from '#balancer/transports/websocket-frames.js'
import { frame, FrameReader } from '../../helpers/websocket.js'

const sizes = [0, 1, 125, 126, 127, 65_535, 65_536, 70_000]

void t.test('the end of the first frame is found for every form of length, masked or not', t => {
  for (const size of sizes) {
    for (const masked of [true, false]) {
      const one = frame(Buffer.alloc(size, 'x'), { masked })
      const boundaries = new FrameBoundaries()
      t.equal(boundaries.push(Buffer.concat([one, one])), one.length, `${size} bytes`)
      t.ok(boundaries.atBoundary)
    }
  }
  t.end()
})

void t.test('the end of a frame is found however the bytes are split', t => {
  const frames = [3, 126, 0, 300].map(size => frame(Buffer.alloc(size, 'y'), { masked: size === 300 }))
  const stream = Buffer.concat(frames)
  const ends = frames.map((_, i) => Buffer.concat(frames.slice(0, i + 1)).length)
  for (const step of [1, 2, 3, 5, 7, 100]) {
    const boundaries = new FrameBoundaries()
    const found: number[] = []
    const expected: number[] = []
    for (let offset = 0; offset < stream.length; offset += step) {
      const piece = stream.subarray(offset, offset + step)
      const first = ends.find(end => end > offset && end <= offset + piece.length)
      expected.push(first ?? -1, Number(ends.includes(offset + piece.length)))
      const at = boundaries.push(piece)
      found.push(at < 0 ? -1 : offset + at, Number(boundaries.atBoundary))
    }
    t.same(found, expected, `${step} at a time`)
  }
  t.end()
})

void t.test('a stream is at a boundary before its first frame and not inside a header', t => {
  const boundaries = new FrameBoundaries()
  t.ok(boundaries.atBoundary)
  t.equal(boundaries.push(Buffer.alloc(0)), -1)
  t.equal(boundaries.push(Buffer.from([0x82])), -1)
  t.notOk(boundaries.atBoundary)
  t.equal(boundaries.push(Buffer.from([0x00])), 1, 'an empty frame ends with its header')
  t.ok(boundaries.atBoundary)
  t.end()
})

void t.test('the close frame carries code 1012', t => {
  const reader = new FrameReader()
  t.same(reader.push(CLOSE_SERVICE_RESTART), [{ opcode: 8, payload: Buffer.from([0x03, 0xf4]) }])
  t.equal(Buffer.from([0x03, 0xf4]).readUInt16BE(), 1012)
  t.end()
})

import t from 'tap'
import { FrameFault, frameHead, FrameReader, MAX_CHANNEL, MAX_FRAME_BYTES } from '#balancer/contract/frames.js'

function readerInto(found: string[]): FrameReader {
  return new FrameReader({
    dataFound: (channel, bytes) => {
      const text = bytes.toString('latin1')
      // Another piece of the same frame: no two frames of these tests follow each other on one channel.
      if (found.at(-1)?.startsWith(`${channel} data `) === true) found.push(`${found.pop() ?? ''}${text}`)
      else found.push(`${channel} data ${text}`)
    },
    signalFound: (kind, channel, number) => found.push(`${channel} ${kind} ${number}`),
  })
}

void t.test('frames are read, however their bytes arrive', t => {
  const frames = [
    frameHead('data', 1, 5) + 'hello',
    frameHead('credit', MAX_CHANNEL, 131_072),
    frameHead('end', 2),
    frameHead('data', MAX_CHANNEL, 2) + '\xff\0',
    frameHead('close', 1),
    frameHead('refusal', 65_536),
  ]
  const bytes = Buffer.from(frames.join(''), 'latin1')
  const expected = `1 data hello ${MAX_CHANNEL} credit 131072 2 end 0 ${MAX_CHANNEL} data \xff\0 1 close 0 65536 refusal 0`
  for (let step = 1; step <= bytes.length; step += 1) {
    const found: string[] = []
    const reader = readerInto(found)
    for (let at = 0; at < bytes.length; at += step) reader.push(bytes.subarray(at, at + step))
    t.equal(found.join(' '), expected, `${step} bytes at a time`)
  }
  t.end()
})

void t.test('bytes that are not a frame are refused', t => {
  const wrong = [
    '\x09' + frameHead('data', 1, 1).slice(1),
    frameHead('data', 1, 0),
    frameHead('data', 1, MAX_FRAME_BYTES + 1),
  ]
  for (const bytes of wrong) {
    t.throws(() => readerInto([]).push(Buffer.from(bytes, 'latin1')), FrameFault)
  }
  t.end()
})

void t.test('a reader tells when nothing else has arrived', t => {
  const seen: boolean[] = []
  const reader = new FrameReader({
    dataFound: (_channel, _bytes, isLast) => seen.push(isLast),
    signalFound: () => undefined,
  })
  const frame = frameHead('data', 1, 1) + 'x'
  reader.push(Buffer.from(frame + frame, 'latin1'))
  reader.push(Buffer.from(frame + frame.slice(0, 3), 'latin1'))
  t.strictSame(seen, [false, true, false])
  t.end()
})

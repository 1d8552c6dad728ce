import t from 'tap'
import { TokenBucket } from '#src/app/chat/token-bucket.js'

void t.test('a token bucket passes a burst, and then a steady rate', t => {
  const bucket = new TokenBucket({ burst: 3, perSecond: 2 }, 0)
  t.strictSame(
    [0, 0, 0, 0].map(now => bucket.take(now)),
    [true, true, true, false],
  )
  t.notOk(bucket.take(400), 'too early')
  t.ok(bucket.take(500))
  t.notOk(bucket.take(500))
  t.strictSame(
    [1_000, 1_500, 2_000].map(now => bucket.take(now)),
    [true, true, true],
  )
  t.end()
})

void t.test('a token bucket holds no more than a burst after a long pause', t => {
  const bucket = new TokenBucket({ burst: 2, perSecond: 1 }, 0)
  t.strictSame(
    [0, 0, 3_600_000, 3_600_000, 3_600_000].map(now => bucket.take(now)),
    [true, true, true, true, false],
  )
  t.end()
})

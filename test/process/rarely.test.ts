import t from 'tap'
import { rarely } from '#src/process/rarely.js'

void t.test('an action is done at once, and not again within its time', t => {
  let done = 0
  const often = rarely(60_000, () => (done += 1))
  const always = rarely(0, () => (done += 10))
  for (let i = 0; i < 3; i += 1) often()
  t.equal(done, 1)
  for (let i = 0; i < 3; i += 1) always()
  t.equal(done, 31)
  t.end()
})

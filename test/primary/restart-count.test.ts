import t from 'tap'
import { RestartCount } from '#src/primary/restart-count.js'

void t.test('restarts are counted by place, over the generations', t => {
  const count = new RestartCount()
  const first = { role: 'worker', release: 'live', place: 0, generation: 0 } as const
  count.note(first)
  count.note({ ...first, generation: 1 })
  t.equal(count.of({ ...first, generation: 2 }), 2)
  t.equal(count.of({ ...first, place: 1 }), 0)
  t.equal(count.of({ ...first, role: 'balancer' }), 0)
  t.end()
})

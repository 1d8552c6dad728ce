import type { IncomingMessage } from 'node:http'
import t from 'tap'
import type { TargetSpec } from '#balancer/contract/targets.js'
import type { Target } from '#balancer/targets/target.js'
import type { TargetPool } from '#balancer/targets/target-pool.js'
import { Chance } from '#scripts/lib/chance.js'
import { FakeRequest, NoTransport, readyPool } from '../../helpers/fake-pool.js'

function picks(pool: TargetPool, times: number, tried?: ReadonlySet<Target>): string[] {
  return Array.from({ length: times }, () => {
    const picked = pool.pick(tried)
    return typeof picked === 'string' ? picked : picked.id
  })
}

void t.test('round robin stays even while targets come and go', t => {
  const { pool } = readyPool(['a', 'b', 'c'])
  t.same(picks(pool, 4), ['a', 'b', 'c', 'a'])
  pool.remove('a')
  t.same(picks(pool, 4).sort(), ['b', 'b', 'c', 'c'])
  pool.add('d', new NoTransport()).markReady()
  t.same(picks(pool, 6).sort(), ['b', 'b', 'c', 'c', 'd', 'd'])
  t.end()
})

void t.test('only ready targets are picked', t => {
  const { pool, targets } = readyPool(['a', 'b', 'c', 'd'])
  pool.add('new', new NoTransport())
  targets[0]!.beginDrain()
  targets[1]!.markUnhealthy()
  t.same(new Set(picks(pool, 6)), new Set(['c', 'd']))
  t.end()
})

void t.test('a pool without a ready target reports that none is ready', t => {
  const { pool } = readyPool([])
  t.equal(pool.pick(), 'none-ready')
  pool.add('a', new NoTransport())
  t.equal(pool.pick(), 'none-ready')
  t.notOk(pool.open)
  t.end()
})

void t.test('a target with room is picked, and the pool reports when all are full', t => {
  const { pool, targets } = readyPool(['a', 'b'], { maxInFlight: 1 })
  for (const target of targets) target.begin(new FakeRequest())
  t.equal(pool.pick(), 'full')
  t.notOk(pool.open)
  const { pool: half, targets: two } = readyPool(['a', 'b'], { maxInFlight: 1 })
  two[0]!.begin(new FakeRequest())
  t.same(picks(half, 2), ['b', 'b'])
  t.ok(half.open)
  t.end()
})

void t.test('a retry avoids the targets that failed the request, unless there is no other, and takes no turn', t => {
  const { pool, targets } = readyPool(['a', 'b', 'c'])
  t.same(picks(pool, 2, new Set([targets[0]!])), ['b', 'b'])
  t.same(picks(pool, 1), ['a'])
  t.same(picks(pool, 1, new Set(targets)), ['b'], 'all have failed it')
  t.end()
})

void t.test('health is ignored while fewer than half of the targets are ready', t => {
  const { pool, targets } = readyPool(['a', 'b', 'c', 'd'])
  targets[0]!.markUnhealthy()
  targets[1]!.markUnhealthy()
  t.same(new Set(picks(pool, 8)), new Set(['c', 'd']), 'half is enough')
  targets[2]!.eject()
  t.same(new Set(picks(pool, 8)), new Set(['a', 'b', 'c', 'd']))
  targets[0]!.markReady()
  t.same(new Set(picks(pool, 8)), new Set(['a', 'd']), 'the panic is over')
  t.end()
})

void t.test('a panic never picks targets that refuse connections, drain or have not been ready', t => {
  const { pool, targets } = readyPool(['a', 'b', 'c', 'd'])
  pool.add('new', new NoTransport())
  targets[0]!.markUnreachable()
  targets[1]!.beginDrain()
  targets[2]!.markUnhealthy()
  targets[3]!.markUnhealthy()
  t.same(new Set(picks(pool, 8)), new Set(['c', 'd']))
  t.end()
})

void t.test('at most half of the targets may be ejected, not counting those that drain', t => {
  const { pool, targets } = readyPool(['a', 'b', 'c', 'd', 'e'])
  t.equal(pool.ejectable, 2)
  targets[0]!.eject()
  t.equal(pool.ejectable, 1)
  targets[1]!.beginDrain()
  targets[2]!.beginDrain()
  t.equal(pool.ejectable, 0)
  t.end()
})

void t.test('the local app is preferred while it can take requests', t => {
  const { pool } = readyPool(['a', 'b'], { maxInFlight: 1 })
  const local = pool.add('self', new NoTransport(), true)
  local.markReady()
  t.same(picks(pool, 2), ['self', 'self'])
  const place = local.begin(new FakeRequest())
  t.same(new Set(picks(pool, 4)), new Set(['a', 'b']), 'it is full')
  local.end(place)
  t.notOk(picks(pool, 4, new Set([local])).includes('self'), 'it has failed this one')
  local.beginDrain()
  t.same(new Set(picks(pool, 4)), new Set(['a', 'b']))
  t.end()
})

void t.test(
  'while a release is tried, the local app leaves a share of the others to its siblings, to be compared',
  t => {
    const chance = new Chance(19)
    const { pool } = readyPool(['a', 'b', 'tried'], {}, () => chance.next())
    const local = pool.add('self', new NoTransport(), true)
    local.markReady()
    const specOf = (id: string): TargetSpec => ({ id, socketPath: '', draining: false })
    const pickedBy = (times: number): Record<string, number> => {
      const counts: Record<string, number> = { a: 0, b: 0, tried: 0, self: 0 }
      for (let i = 0; i < times; i++) {
        const request = { headers: {}, socket: {} } as unknown as IncomingMessage
        const picked = pool.pick(undefined, request)
        if (typeof picked !== 'string') counts[picked.id] = (counts[picked.id] ?? 0) + 1
      }
      return counts
    }
    pool.shareClients([...['a', 'b', 'self'].map(specOf), { ...specOf('tried'), release: 'r2', share: 0.2 }])
    const { a = 0, b = 0, tried = 0, self = 0 } = pickedBy(1_000)
    t.ok(Math.abs(tried - 200) <= 11, `${tried} of the trial`)
    t.ok(Math.abs(a + b - 160) < 40 && Math.min(a, b) > 40, `${a} and ${b} to siblings`)
    t.equal(a + b + tried + self, 1_000)
    pool.shareClients(['a', 'b', 'self', 'tried'].map(specOf))
    t.strictSame(pickedBy(100), { a: 0, b: 0, tried: 0, self: 100 })
    t.end()
  },
)

void t.test('least busy picks the target with fewer requests in flight', t => {
  const { pool, targets } = readyPool(['a', 'b'], { balance: 'least-busy', slowStartMs: 0 }, () => 0)
  targets[0]!.begin(new FakeRequest())
  t.same(picks(pool, 3), ['b', 'b', 'b'])
  t.end()
})

void t.test('the pool reports when a target can be picked that could not be picked before', t => {
  const { pool, targets } = readyPool(['a', 'b'], { maxInFlight: 1 })
  const heard: string[] = []
  pool.on('available', () => heard.push('available'))
  pool.on('drained', target => heard.push(`drained ${target.id}`))
  pool.on('changed', (target, from) => heard.push(`${target.id} ${from}`))
  targets[0]!.end(targets[0]!.begin(new FakeRequest()))
  t.same(heard.splice(0), ['available'])
  targets[0]!.markUnhealthy()
  t.same(heard.splice(0), ['a ready'])
  targets[0]!.markReady()
  t.same(heard.splice(0), ['a unhealthy', 'available'])
  targets[1]!.beginDrain()
  t.same(heard.splice(0), ['b ready', 'drained b'])
  t.end()
})

void t.test('a removed target is gone', t => {
  const { pool, targets } = readyPool(['a', 'b'])
  pool.remove('a')
  pool.remove('a')
  t.equal(targets[0]!.state, 'gone')
  t.equal(pool.size, 1)
  t.equal(pool.get('a'), undefined)
  t.same(picks(pool, 2), ['b', 'b'])
  t.end()
})

import t from 'tap'
import { noVitals, type Vitals } from '#src/ipc/vitals.js'
import { Autoscaler } from '#src/primary/autoscaler.js'

const limits = { min: 1, max: 4, cores: 4, places: 256 }
const MIB = 2 ** 20
const memory = (): { freeBytes: number; totalBytes: number } => ({ freeBytes: 8_000 * MIB, totalBytes: 16_000 * MIB })

type Seen = Parameters<Autoscaler['look']>[0][number]

function seen(vitals: Partial<Vitals>, more: Partial<Seen> = {}): Seen {
  const busy = { ...noVitals, rssBytes: 80 * MIB, ...vitals }
  return { name: 'worker 1', role: 'worker', state: 'ready', vitals: busy, heardAt: 0, ...more }
}

function autoscaler(range: Partial<typeof limits> = {}): Autoscaler {
  return new Autoscaler({ ...limits, ...range }, memory)
}

void t.test('a worker with a busy event loop gets another beside it, and the reason is given', t => {
  const decided = autoscaler().look([seen({ loopUse: 1 })], 1, 1_000)
  t.match(decided, { workers: 2, reason: /^pool grows from 1 to 2 workers: / })
  t.end()
})

void t.test('a worker that has sent nothing for a while counts as busy', t => {
  t.equal(autoscaler().look([seen({ loopUse: 0 })], 1, 3_000)?.workers, 2)
  t.equal(autoscaler().look([seen({ loopUse: 0 }, { heardAt: 2_000 })], 1, 3_000)?.workers, 1)
  t.end()
})

void t.test('workers that do not serve, and those without a heartbeat, are left out', t => {
  const children = [
    seen({ loopUse: 1 }, { state: 'starting' }),
    seen({ loopUse: 1 }, { state: 'draining' }),
    seen({ loopUse: 1, rssBytes: 0 }),
    seen({ loopUse: 1, cpuUse: 1 }, { role: 'balancer' }),
  ]
  t.equal(autoscaler().look(children, 1, 1_000)?.workers, 1)
  t.end()
})

void t.test('with more workers than cores, the cores that balancers use are not available', t => {
  const worker = seen({ loopUse: 1, cpuUse: 0.5 })
  const balancer = seen({ cpuUse: 1 }, { role: 'balancer', name: 'balancer 1' })
  const policy = { cores: 2 }
  const twice = [worker, { ...worker, name: 'worker 2' }]
  t.equal(autoscaler(policy).look(twice, 2, 1_000)?.workers, 3)
  t.match(autoscaler(policy).look([...twice, balancer], 2, 1_000), { workers: 2, reason: /there are 2 cores$/ })
  t.end()
})

void t.test('requests that wait at a balancer add workers: one client gets a part of the places', t => {
  const worker = seen({ inFlight: 128 })
  const balancer = (waiting: number): Seen => seen({ inFlight: 128 + waiting, waiting }, { role: 'balancer' })
  t.equal(autoscaler().look([worker, balancer(0)], 1, 1_000)?.workers, 1)
  t.match(autoscaler().look([worker, balancer(472)], 1, 1_000), { workers: 3, reason: /by requests in flight/ })
  t.end()
})

void t.test('nothing is decided when the number is fixed', t => {
  t.equal(autoscaler({ max: 1 }).look([seen({ loopUse: 1 })], 1, 1_000), undefined)
  const scaler = autoscaler()
  scaler.fix()
  t.equal(scaler.look([seen({ loopUse: 1 })], 1, 1_000), undefined)
  t.end()
})

void t.test('nothing is decided at the first look after a sleep', t => {
  const scaler = autoscaler()
  scaler.look([seen({})], 1, 1_000)
  t.equal(scaler.look([seen({})], 1, 20_000), undefined)
  t.equal(scaler.look([seen({}, { heardAt: 20_500 })], 1, 21_000)?.workers, 1)
  t.end()
})

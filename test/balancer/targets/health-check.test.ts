import net from 'node:net'
import t from 'tap'
import { HealthCheck, HealthThresholds, ProbePace, type HealthCheckConsumer } from '#balancer/targets/health-check.js'
import { until } from '../../helpers/deadline.js'
import { NoTransport, readyPool } from '../../helpers/fake-pool.js'
import { FakeTarget, socketPathFor } from '../../helpers/fake-target.js'

const limits = { healthFall: 3, healthRise: 2 }

function probed(probes: string): string {
  const { targets } = readyPool(['a'])
  const thresholds = new HealthThresholds(targets[0]!, limits)
  for (const probe of probes) thresholds.probeCompleted(probe === '+')
  return targets[0]!.state
}

void t.test('`healthFall` bad probes in a row take a target out, `healthRise` good ones bring it back', t => {
  t.equal(probed('--'), 'ready')
  t.equal(probed('--+--'), 'ready', 'not in a row')
  t.equal(probed('---'), 'unhealthy')
  t.equal(probed('---+'), 'unhealthy')
  t.equal(probed('---+-+'), 'unhealthy')
  t.equal(probed('---++'), 'ready')
  t.equal(probed('---++--'), 'ready')
  t.end()
})

void t.test('one good probe is enough for a new target and for one that refused connections', t => {
  const { pool } = readyPool([])
  const target = pool.add('a', new NoTransport())
  const thresholds = new HealthThresholds(target, limits)
  for (let i = 0; i < 9; i += 1) thresholds.probeCompleted(false)
  t.equal(target.state, 'joining', 'bad probes do not change a new target')
  t.ok(thresholds.joining)
  thresholds.probeCompleted(true)
  t.equal(target.state, 'ready')
  t.notOk(thresholds.joining)
  target.markUnreachable()
  t.ok(thresholds.joining)
  thresholds.probeCompleted(true)
  t.equal(target.state, 'ready')
  t.end()
})

void t.test('the reason why a target stays out of use is reported once, until it is back', t => {
  const { pool } = readyPool([])
  const target = pool.add('a', new NoTransport())
  const told: string[] = []
  let now = 0
  const thresholds = new HealthThresholds(
    target,
    limits,
    reason => told.push(reason),
    () => now,
  )
  thresholds.probeCompleted(false, 'too soon')
  now = 2_500
  for (const reason of ['was answered 503', 'was answered 500']) thresholds.probeCompleted(false, reason)
  t.strictSame(told, ['was answered 503'])
  thresholds.probeCompleted(true)
  for (const reason of ['once', 'twice']) {
    thresholds.probeCompleted(false, reason)
    now += 2_500
  }
  t.equal(target.state, 'ready')
  t.equal(told.length, 1, 'it is in use as long as too few probes were bad')
  thresholds.probeCompleted(false, 'was not answered')
  t.equal(target.state, 'unhealthy')
  t.strictSame(told.slice(1), ['was not answered'])
  t.end()
})

void t.test('good probes do not end an ejection, and bad ones make the target unhealthy', t => {
  const { targets } = readyPool(['a'])
  const thresholds = new HealthThresholds(targets[0]!, limits)
  targets[0]!.eject()
  for (let i = 0; i < 5; i += 1) thresholds.probeCompleted(true)
  t.equal(targets[0]!.state, 'ejected')
  for (let i = 0; i < 3; i += 1) thresholds.probeCompleted(false)
  t.equal(targets[0]!.state, 'unhealthy')
  t.end()
})

void t.test('good probes do not end a drain', t => {
  const { targets } = readyPool(['a'])
  const thresholds = new HealthThresholds(targets[0]!, limits)
  targets[0]!.beginDrain()
  for (let i = 0; i < 5; i += 1) thresholds.probeCompleted(true)
  for (let i = 0; i < 5; i += 1) thresholds.probeCompleted(false)
  t.equal(targets[0]!.state, 'draining')
  t.end()
})

const quick = {
  identityKey: 'key',
  healthPath: '/health',
  healthyBelow: 500,
  healthIntervalMs: 5,
  healthTimeoutMs: 2_000,
  joinIntervalMs: 5,
}

class Results implements HealthCheckConsumer {
  joining = false
  readonly settled = true
  readonly seen: boolean[] = []
  fault: string | undefined

  probeCompleted(good: boolean, fault?: string): void {
    this.seen.push(good)
    this.fault = fault
  }
}

void t.test('a target that is in use is probed less often by each of many balancers', t => {
  const pauses = (balancers: number): number[] => {
    const pace = new ProbePace()
    pace.shareTargetsAmong(balancers)
    const { pool } = readyPool([])
    const target = pool.add('a', new NoTransport())
    const thresholds = new HealthThresholds(target, limits)
    const options = { ...quick, joinIntervalMs: 50, healthIntervalMs: 2_000 }
    // It joins, is in use, is in doubt, out of use, and back.
    return Array.from(' ++---++').map(probe => {
      if (probe !== ' ') thresholds.probeCompleted(probe === '+')
      return pace.pauseAfter(thresholds, options)
    })
  }
  const doubt = [2_000, 2_000, 2_000, 2_000]
  for (const few of [1, 2, 4]) t.strictSame(pauses(few), [50, 2_000, 2_000, ...doubt, 2_000], `${few}`)
  t.strictSame(pauses(8), [50, 4_000, 4_000, ...doubt, 4_000])
  for (const many of [16, 64]) t.strictSame(pauses(many), [50, 8_000, 8_000, ...doubt, 8_000], `${many}`)
  t.end()
})

void t.test('a target is probed until the health check stops', async t => {
  const target = await FakeTarget.start(t, 'a')
  const results = new Results()
  const check = new HealthCheck(target.socketPath, results, quick)
  check.start()
  await until(() => results.seen.length >= 3, 'three probes')
  t.ok(results.seen.every(Boolean))
  target.healthy = false
  await until(() => results.seen.at(-1) === false, 'a bad probe')
  t.match(results.fault, /^GET \/health /)
  target.healthy = true
  await until(() => results.seen.at(-1) === true, 'a good probe')
  await target.kill()
  await until(() => results.seen.at(-1) === false, 'a refused probe')
  t.match(results.fault, /^GET \/health failed: /)
  check.stop()
})

void t.test('a target that something else has taken out is probed sooner', async t => {
  const target = await FakeTarget.start(t, 'a')
  const results = new Results()
  const check = new HealthCheck(target.socketPath, results, { ...quick, healthIntervalMs: 3_600_000 })
  check.start()
  await until(() => results.seen.length === 1, 'a probe')
  results.joining = true
  // The pause begins right after the result.
  setImmediate(() => check.hurry())
  await until(() => results.seen.length > 1, 'another probe')
  check.stop()
})

void t.test('any status below `healthyBelow` is a good probe', async t => {
  const target = await FakeTarget.start(t, 'a', (_request, response) => response.writeHead(404).end())
  const results = new Results()
  const check = new HealthCheck(target.socketPath, results, { ...quick, healthPath: '/nothing' })
  check.start()
  await until(() => results.seen.length > 0, 'a probe')
  check.stop()
  t.ok(results.seen[0])
})

void t.test('no answer and a closed connection are bad probes', async t => {
  for (const misbehave of [() => undefined, (socket: net.Socket) => socket.destroy()]) {
    const path = socketPathFor(t)
    const sockets = new Set<net.Socket>()
    const server = net.createServer(socket => {
      sockets.add(socket)
      misbehave(socket)
    })
    await new Promise<void>(resolve => server.listen(path, resolve))
    const results = new Results()
    const check = new HealthCheck(path, results, { ...quick, healthTimeoutMs: 50 })
    check.start()
    await until(() => results.seen.length > 1, 'two probes')
    check.stop()
    t.notOk(results.seen.some(Boolean))
    for (const socket of sockets) socket.destroy()
    await new Promise(resolve => server.close(resolve))
  }
})

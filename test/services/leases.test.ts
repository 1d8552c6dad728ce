import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { pino } from 'pino'
import t from 'tap'
import { LeaseLostError } from '#src/services/held-lease.js'
import { keys } from '#src/services/keys.js'
import { Leases, type Lease } from '#src/services/leases.js'
import { until } from '../helpers/deadline.js'
import { RedisServer } from '../helpers/redis-server.js'

const holder = fileURLToPath(new URL('../fixtures/lease-holder.js', import.meta.url))
const log = pino({ level: 'silent' })

const server = await RedisServer.start(t)
const redis = await server.connect(t)
const leases = new Leases(redis, log)

/** Work that goes on until it is told to end. */
function open(): { work: (lease: Lease) => Promise<string>; end: () => void; begun: Promise<Lease> } {
  let end: () => void = () => undefined
  let begin: (lease: Lease) => void = () => undefined
  const ended = new Promise<void>(resolve => (end = resolve))
  const begun = new Promise<Lease>(resolve => (begin = resolve))
  const work = async (lease: Lease): Promise<string> => {
    begin(lease)
    await ended
    return 'done'
  }
  return { work, end, begun }
}

void t.test('no two processes hold a lease at once, and the numbers of its holders grow', async t => {
  let holding = 0
  let most = 0
  const fences: number[] = []
  const many = Array.from({ length: 20 }, async () => {
    const other = new Leases(await server.connect(t), log)
    await other.lease(
      'crowd',
      async ({ fence }) => {
        most = Math.max(most, (holding += 1))
        fences.push(fence)
        await sleep(5)
        holding -= 1
      },
      { waitMs: 60_000 },
    )
  })
  await Promise.all(many)
  t.equal(most, 1)
  t.equal(fences.length, 20)
  t.strictSame(
    fences,
    [...new Set(fences)].sort((a, b) => a - b),
  )
})

void t.test('work whose lease another call holds is not done, and the holder gets its value', async t => {
  const { work, end, begun } = open()
  const first = leases.lease('one', work)
  const { fence } = await begun
  t.strictSame(leases.names, ['one'])
  t.equal(await leases.lease('one', () => t.fail('it is done twice')), undefined)
  t.match(await leases.lease('two', () => 2), { value: 2 }, 'another lease is free')
  end()
  t.strictSame(await first, { value: 'done', fence })
  t.strictSame(leases.names, [])
  t.match(await leases.lease('one', () => 'again'), { value: 'again' }, 'it was given back')
})

void t.test('work that fails gives the lease back', async t => {
  await t.rejects(
    leases.lease('failing', () => Promise.reject(new Error('no paper'))),
    { message: 'no paper' },
  )
  t.match(await leases.lease('failing', () => 1), { value: 1 })
})

void t.test('a lease is renewed for as long as the work takes', async t => {
  const value = await leases.lease(
    'long',
    async ({ signal }) => {
      await sleep(2_500)
      return signal.aborted
    },
    { ttlMs: 1_000 },
  )
  t.match(value, { value: false })
})

void t.test('the number grows although Redis has lost the last one', async t => {
  const before = await leases.lease('forgetful', () => 0)
  await redis.del(keys.fence('app:forgetful'))
  const after = await leases.lease('forgetful', () => 0)
  t.ok(after!.fence > before!.fence)
  await redis.set(keys.fence('app:forgetful'), String(Number.MAX_SAFE_INTEGER - 1_000))
  t.equal((await leases.lease('forgetful', () => 0))!.fence, Number.MAX_SAFE_INTEGER - 999, 'or the clock went back')
})

void t.test('a holder that is stopped loses its lease to another with a higher number, and learns of that', async t => {
  const process = spawn(globalThis.process.execPath, [holder, server.url, 'paused', '1000'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  t.teardown(() => process.kill('SIGKILL'))
  const lines: string[] = []
  createInterface(process.stdout).on('line', line => lines.push(line))
  await until(() => lines.length === 1, 'its number')
  process.kill('SIGSTOP')
  const taken = await leases.lease('paused', ({ fence }) => fence, { waitMs: 20_000 })
  t.ok(taken!.fence > Number(lines[0]), `${taken!.fence} > ${lines[0]}`)
  process.kill('SIGCONT')
  await once(process, 'close')
  t.match(lines[1], /LeaseLostError: lease "app:paused" is lost/)
})

void t.test('a lease that Redis has forgotten is lost', async t => {
  const { work, begun } = open()
  const lost = leases.lease(
    'deleted',
    ({ signal }) => {
      void work({ signal, fence: 0 })
      return once(signal, 'abort')
    },
    { ttlMs: 1_000 },
  )
  await begun
  await redis.del(keys.lease('app:deleted'))
  await t.rejects(lost, { name: 'LeaseLostError', message: /another has it, or Redis has forgotten it/ })
})

void t.test('a worker that ends tells the work to end, waits for it, and gives no more leases', async t => {
  const own = new Leases(redis, log)
  const { work, end, begun } = open()
  const leased = own.lease('ending', work)
  const { signal } = await begun
  const stopped = own.stop()
  t.ok(signal.aborted)
  t.notOk(signal.reason instanceof LeaseLostError)
  t.equal(await Promise.race([stopped, sleep(50, 'waits')]), 'waits')
  end()
  await stopped
  t.match(await leased, { value: 'done' })
  await t.rejects(
    own.lease('late', () => 0),
    { message: 'the worker is stopping' },
  )
})

void t.test('the leases of a worker that has ended are free for others', async t => {
  const client = await server.connect(t)
  const own = new Leases(client, log)
  const { work, end, begun } = open()
  const leased = own.lease('handed over', work, { ttlMs: 60_000 })
  const { signal } = await begun
  signal.addEventListener('abort', end)
  const endLease = client.endLease.bind(client)
  Object.assign(client, { endLease: (lease: string, token: string) => sleep(20).then(() => endLease(lease, token)) })
  await own.stop()
  client.disconnect()
  t.match(await leased, { value: 'done' })
  t.match(await leases.lease('handed over', () => 'next'), { value: 'next' })
})

void t.test('a lease that was taken without an answer is given back', async t => {
  const own = new Leases(await server.connect(t), log)
  server.freeze()
  await t.rejects(own.lease('unanswered', () => t.fail('it is done'), { ttlMs: 60_000 }))
  server.thaw()
  t.match(await leases.lease('unanswered', () => 'next', { waitMs: 8_000 }).catch(String), { value: 'next' })
})

void t.test('names, times and the number of leases have bounds', async t => {
  for (const name of ['', 'x'.repeat(201), 7 as unknown as string]) {
    await t.rejects(
      leases.lease(name, () => 0),
      { name: 'TypeError' },
    )
  }
  await t.rejects(
    leases.lease('x', () => 0, { ttlMs: 10 }),
    { name: 'RangeError' },
  )
  await t.rejects(
    leases.lease('x', () => 0, { waitMs: NaN }),
    { name: 'RangeError' },
  )
  const own = new Leases(redis, log)
  const all = Array.from({ length: 100 }, (_, i) => ({ ...open(), name: `bound ${i}` }))
  const leased = all.map(({ name, work }) => own.lease(name, work))
  await Promise.all(all.map(({ begun }) => begun))
  await t.rejects(
    own.lease('one more', () => 0),
    { name: 'RangeError', message: /100 leases/ },
  )
  for (const { end } of all) end()
  await Promise.all(leased)
  t.match(await own.lease('one more', () => 0), { value: 0 })
})

void t.test('without Redis no lease is given, and one that is held is lost when it may have ended', async t => {
  const { work, begun } = open()
  const heldAt = performance.now()
  const lost = leases.lease(
    'away',
    ({ signal }) => {
      void work({ signal, fence: 0 })
      return once(signal, 'abort')
    },
    { ttlMs: 1_500 },
  )
  await begun
  await server.kill()
  let heldMs = 0
  void lost.catch(() => (heldMs = performance.now() - heldAt))
  await Promise.all([
    t.rejects(leases.lease('other', () => t.fail('it is done without a lease'))),
    t.rejects(lost, { name: 'LeaseLostError', message: /Redis did not answer/ }),
  ])
  t.ok(heldMs >= 1_000, `${Math.round(heldMs)} ms`)
})

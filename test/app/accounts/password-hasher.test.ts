import t from 'tap'
import { HashQueueFullError, PasswordHasher, type HashGate } from '#src/app/accounts/password-hasher.js'

/** Lets everybody in, and counts them. */
class CountingGate implements HashGate {
  entered = 0
  inside = 0

  enter(): Promise<() => void> {
    this.entered += 1
    this.inside += 1
    return Promise.resolve(() => (this.inside -= 1))
  }
}

const gate = new CountingGate()
const hasher = new PasswordHasher(gate)
const hash = await hasher.hash('correct horse')

void t.test('a password matches its own hash and no other does', async t => {
  t.ok(await hasher.matches('correct horse', hash))
  t.notOk(await hasher.matches('correct horsf', hash))
  t.match(hash, /^\$2b\$10\$/, 'bcrypt at cost 10')
})

void t.test('without an account nothing matches, and it takes the same work', async t => {
  // Processor time, and not the time of day: what else the machine does is not in it.
  const workOf = async (matching: Promise<boolean>): Promise<number> => {
    const before = process.cpuUsage()
    t.notOk(await matching)
    return process.cpuUsage(before).user
  }
  const known = await workOf(hasher.matches('wrong', hash))
  const unknown = await workOf(hasher.matches('wrong', undefined))
  t.ok(unknown > known / 3, `${unknown} µs against ${known} µs`)
})

void t.test('all work is done inside the gate, which is left also when the work fails', async t => {
  t.equal(gate.entered, 5)
  t.equal(gate.inside, 0)
  await t.rejects(hasher.hash(undefined as unknown as string))
  await t.rejects(hasher.matches(undefined as unknown as string, hash))
  t.equal(gate.entered, 7)
  t.equal(gate.inside, 0)
})

void t.test('who waits at the gate has not begun', async t => {
  let open = (): void => undefined
  const closed: HashGate = { enter: () => new Promise(resolve => (open = () => resolve(() => undefined))) }
  let over = false
  const matching = new PasswordHasher(closed).matches('correct horse', hash).finally(() => (over = true))
  for (let i = 0; i < 2; i++) await hasher.matches('correct horse', hash)
  t.notOk(over, 'others were served twice meanwhile')
  open()
  t.ok(await matching)
})

void t.test('who is turned away at the gate is told so', async t => {
  const full: HashGate = { enter: () => Promise.reject(new HashQueueFullError()) }
  await t.rejects(new PasswordHasher(full).hash('correct horse'), { name: 'HashQueueFullError' })
  await t.rejects(new PasswordHasher(full).matches('correct horse', hash), HashQueueFullError)
})

void t.test('a client that leaves while it waits at the gate is known there', async t => {
  const seen: Array<AbortSignal | undefined> = []
  const enter = (signal?: AbortSignal): Promise<never> => {
    seen.push(signal)
    return Promise.reject(new Error('gone'))
  }
  const hasher = new PasswordHasher({ enter })
  const { signal } = new AbortController()
  await t.rejects(hasher.hash('correct horse', signal), { message: 'gone' })
  await t.rejects(hasher.matches('correct horse', hash, signal), { message: 'gone' })
  t.strictSame(seen, [signal, signal])
})

import t from 'tap'
import { hashLimits, HashQueueFullError, PasswordHasher } from '#src/app/accounts/password-hasher.js'

const hasher = new PasswordHasher({ atOnce: 2, waiting: 8 })
const hash = await hasher.hash('correct horse')

void t.test('a password matches its own hash and no other', async t => {
  t.ok(await hasher.matches('correct horse', hash))
  t.notOk(await hasher.matches('correct horsf', hash))
  t.match(hash, /^\$2b\$10\$/, 'bcrypt at cost 10')
})

void t.test('a missing account matches nothing and takes the same work', async t => {
  // Processor time is measured, because other work on the machine would change the elapsed time.
  const workOf = async (matching: Promise<boolean>): Promise<number> => {
    const before = process.cpuUsage()
    t.notOk(await matching)
    return process.cpuUsage(before).user
  }
  const known = await workOf(hasher.matches('wrong', hash))
  const unknown = await workOf(hasher.matches('wrong', undefined))
  t.ok(unknown > known / 3, `${unknown} µs against ${known} µs`)
})

void t.test('a hash that fails frees its permit', async t => {
  const one = new PasswordHasher({ atOnce: 1, waiting: 0 })
  await t.rejects(one.hash(undefined as unknown as string))
  await t.rejects(one.matches(undefined as unknown as string, hash))
  t.ok(await one.matches('correct horse', hash))
})

void t.test('hashes are computed one at a time when one is allowed', async t => {
  const one = new PasswordHasher({ atOnce: 1, waiting: 2 })
  const finished: number[] = []
  await Promise.all([0, 1, 2].map(each => one.matches('correct horse', hash).then(() => finished.push(each))))
  t.strictSame(finished, [0, 1, 2])
})

void t.test('one hash more than may wait is refused', async t => {
  const one = new PasswordHasher({ atOnce: 1, waiting: 1 })
  const accepted = [one.matches('correct horse', hash), one.matches('correct horse', hash)]
  await t.rejects(one.hash('correct horse'), { name: 'HashQueueFullError' })
  await t.rejects(one.matches('correct horse', hash), HashQueueFullError)
  t.strictSame(await Promise.all(accepted), [true, true])
})

void t.test('clients that leave while they wait do not cause others to be refused', async t => {
  const one = new PasswordHasher({ atOnce: 1, waiting: 8 })
  const computing = one.matches('correct horse', hash)
  const clients = Array.from({ length: 8 }, () => new AbortController())
  const waiting = clients.map(({ signal }) => one.matches('correct horse', hash, signal))
  await t.rejects(one.matches('correct horse', hash), HashQueueFullError)
  for (const client of clients) client.abort(new Error('gone'))
  for (const left of waiting) await t.rejects(left, { message: 'gone' })
  t.ok(await one.matches('correct horse', hash))
  t.ok(await computing)
})

void t.test('workers share out the cores and the queue of a machine', async t => {
  t.strictSame(hashLimits(8, 2), { atOnce: 4, waiting: 32 })
  t.strictSame(hashLimits(2, 2), { atOnce: 1, waiting: 32 })
  t.strictSame(hashLimits(8, 3), { atOnce: 2, waiting: 22 })
  t.strictSame(hashLimits(2, 16), { atOnce: 1, waiting: 8 }, 'a worker can always hash, and let some wait')
})

void t.test('a larger share admits more hashes at once', async t => {
  const hasher = new PasswordHasher({ atOnce: 1, waiting: 0 })
  const first = hasher.hash('correct horse')
  await t.rejects(hasher.hash('battery'), HashQueueFullError)
  hasher.setLimits({ atOnce: 2, waiting: 0 })
  const second = hasher.hash('staple')
  await t.rejects(hasher.hash('battery'), HashQueueFullError)
  t.type(await first, 'string')
  t.type(await second, 'string')
})

import t from 'tap'
import { GuessLimit, type Admission } from '#src/app/accounts/guess-limit.js'
import { RedisServer } from '../../helpers/redis-server.js'

const MAX = 20
const WINDOW_MS = 900_000
const GAP_MS = WINDOW_MS / MAX
const server = await RedisServer.start(t)
const redis = await server.connect(t)
let now = Date.now()
const options = { max: MAX, windowMs: WINDOW_MS, now: () => now }
const limit = new GuessLimit(redis, options)
const elsewhere = new GuessLimit(await server.connect(t), options)

/** Guesses wrong from so many addresses and tells which were answered. */
async function guess(username: string, addresses: number, from = 0): Promise<string[]> {
  const answered: string[] = []
  for (let i = from; i < from + addresses; i++) {
    const client = `198.51.100.${i}`
    const admission = await (i % 2 === 0 ? limit : elsewhere).admit(username, client)
    if (typeof admission === 'object') continue
    if ((await limit.failed(username, admission)) === 0) answered.push(client)
  }
  return answered
}

function waitOf(admission: Admission): number {
  return typeof admission === 'object' ? admission.waitMs : 0
}

void t.test('sixty addresses with one guess each get twenty answers, and one more for a turn', async t => {
  t.equal((await guess('alice', 60)).length, MAX + 1)
  t.equal((await guess('bob', 1)).length, 1, 'another account is not affected')
})

void t.test('guesses that are made at the same time are counted one by one', async t => {
  const admissions = await Promise.all(Array.from({ length: 60 }, (_, i) => limit.admit('carol', `198.51.100.${i}`)))
  t.ok(admissions.every(admission => admission === 'within'))
  const waits = await Promise.all(admissions.map(admission => elsewhere.failed('carol', admission)))
  t.equal(waits.filter(wait => wait === 0).length, MAX)
  t.ok((await limit.succeeded('carol', '198.51.100.61', 'within')) > 0, 'nor does a right one pass among them')
})

void t.test('an address from which the owner has signed in is never refused for others', async t => {
  await limit.know('dave', '192.0.2.1')
  await guess('dave', 60)
  for (let i = 0; i < 40; i++) {
    t.equal(await elsewhere.admit('dave', '192.0.2.1'), 'known')
    t.equal(await limit.failed('dave', 'known'), 0)
  }
})

void t.test('the owner at a new address waits for a turn behind the addresses that have asked before', async t => {
  const attackers = 60
  await guess('erin', attackers)
  const waitMs = waitOf(await limit.admit('erin', '192.0.2.1'))
  t.ok(waitMs > 0 && waitMs <= attackers * GAP_MS, `${waitMs} ms`)
  t.equal(waitOf(await elsewhere.admit('erin', '192.0.2.1')), waitMs, 'asking again does not make it longer')
  now += waitMs
  const admission = await limit.admit('erin', '192.0.2.1')
  t.equal(admission, 'turn')
  t.equal(await limit.succeeded('erin', '192.0.2.1', admission), 0)
  t.equal(await elsewhere.admit('erin', '192.0.2.1'), 'known')
})

void t.test('a turn is good for one guess', async t => {
  await guess('frank', MAX)
  const tries = await Promise.all(Array.from({ length: 10 }, () => limit.admit('frank', '192.0.2.1')))
  t.equal(tries.filter(admission => admission === 'turn').length, 1)
  t.ok(waitOf(await limit.admit('frank', '192.0.2.1')) >= GAP_MS)
})

void t.test('nobody is told to wait longer than an hour', async t => {
  await guess('grace', 200)
  t.equal(waitOf(await limit.admit('grace', '192.0.2.1')), 60 * 60_000)
})

void t.test('the window and what is known of an account end by themselves', async t => {
  await redis.flushall()
  await guess('heidi', MAX + 5)
  await limit.know('heidi', '192.0.2.1')
  for (const key of await redis.keys('*')) t.ok((await redis.pttl(key)) > 0, key)
})

void t.test('an account keeps the twenty addresses that were used last', async t => {
  for (let i = 0; i < 25; i++) {
    now += 1
    await limit.know('ivan', `192.0.2.${i}`)
  }
  await guess('ivan', MAX)
  t.equal(await limit.admit('ivan', '192.0.2.24'), 'known')
  t.equal(await limit.admit('ivan', '192.0.2.5'), 'known')
  t.not(await limit.admit('ivan', '192.0.2.4'), 'known')
})

void t.test(
  'while Redis is away, guesses are refused, and a client that has proved its account is let in without a record',
  async t => {
    await server.kill()
    await t.rejects(limit.admit('judy', '192.0.2.1'))
    await t.rejects(limit.failed('judy', 'within'))
    await limit.know('judy', '192.0.2.1')
  },
)

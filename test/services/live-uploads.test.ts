import { pino } from 'pino'
import t, { type Test } from 'tap'
import { keys } from '#src/services/keys.js'
import { LiveUploads, UPLOAD_LIVES_MS } from '#src/services/live-uploads.js'
import { RedisServer } from '../helpers/redis-server.js'

const server = await RedisServer.start(t)
const redis = await server.connect(t)
t.beforeEach(() => redis.flushall())

/** The clock of the renewals. The test decides when they are due. */
function renewals(t: Test): { due(): void; running: number } {
  const timers = new Map<object, () => void>()
  t.intercept(globalThis, 'setInterval', {
    value: (renew: () => void) => {
      const timer = { unref: () => timer }
      timers.set(timer, renew)
      return timer
    },
  })
  t.intercept(globalThis, 'clearInterval', { value: (timer: object) => timers.delete(timer) })
  return {
    due: () => timers.forEach(renew => renew()),
    get running() {
      return timers.size
    },
  }
}

/** Waits for earlier commands of the connection, since commands of one connection run in order. */
async function isLive(id: string): Promise<boolean> {
  return (await redis.exists(keys.liveUpload(id))) === 1
}

void t.test('each upload is live from its start to its end', async t => {
  const clock = renewals(t)
  const uploads = new LiveUploads(redis, pino({ level: 'silent' }))
  uploads.begun('one')
  uploads.begun('two')
  t.ok((await isLive('one')) && (await isLive('two')))
  uploads.ended('one')
  t.notOk(await isLive('one'))
  t.ok(await isLive('two'))
  clock.due()
  t.notOk(await isLive('one'), 'it is not renewed either')
  uploads.ended('two')
  t.equal(clock.running, 0, 'no timer without an upload')
})

void t.test('a long upload stays live, and the upload of a dead worker expires', async t => {
  const clock = renewals(t)
  const uploads = new LiveUploads(redis, pino({ level: 'silent' }))
  uploads.begun('one')
  const key = keys.liveUpload('one')
  const left = await redis.pttl(key)
  t.ok(left > UPLOAD_LIVES_MS - 10_000 && left <= UPLOAD_LIVES_MS, String(left))
  await redis.pexpire(key, 1_000)
  clock.due()
  t.ok((await redis.pttl(key)) > 1_000)
  uploads.stop()
  t.equal(clock.running, 0)
})

void t.test('uploads that began while Redis was away are registered once it is back', async t => {
  const clock = renewals(t)
  const uploads = new LiveUploads(redis, pino({ level: 'silent' }))
  await redis.config('SET', 'maxmemory', '1')
  uploads.begun('one')
  t.notOk(await isLive('one'))
  await redis.config('SET', 'maxmemory', '0')
  clock.due()
  t.ok(await isLive('one'))
  uploads.ended('one')
})

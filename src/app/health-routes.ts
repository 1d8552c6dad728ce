import { Router } from 'express'
import type { Redis } from 'ioredis'
import type { Logger } from '../process/log.js'
import { keys } from '../services/keys.js'
import type { ObjectStorage } from '../services/object-storage.js'

export interface HealthRouteOptions {
  redis: Redis
  storage: Pick<ObjectStorage, 'check'>
  /** The delay of the event loop at the last measurement, in milliseconds. */
  loopDelayMs: () => number
  log: Logger
}

/** A worker whose event loop is delayed for longer than this is not ready. */
const MAX_LOOP_DELAY_MS = 1_000
const READINESS_KEY_MS = 1_000

/** GET /health (can this process serve at all?) and GET /health/ready (can it reach its services?). */
export function healthRoutes({ redis, storage, loopDelayMs, log }: HealthRouteOptions): Router {
  const router = Router()
  const writes = new ServiceCheck('redis', () => redis.set(keys.readiness, '1', 'PX', READINESS_KEY_MS), log)
  const bucket = new ServiceCheck('storage', () => storage.check(), log)

  router.get('/health', (_request, response) => {
    response.set('Cache-Control', 'no-store').type('text/plain').send('OK')
  })

  router.get('/health/ready', async (_request, response) => {
    const delayMs = loopDelayMs()
    const [redisCheck, storageCheck] = await Promise.all([writes.run(), bucket.run()])
    const checks = {
      redis: redisCheck,
      storage: storageCheck,
      eventLoop: { ok: delayMs < MAX_LOOP_DELAY_MS, delayMs: Math.round(delayMs) },
    }
    const ready = Object.values(checks).every(check => check.ok)
    response
      .status(ready ? 200 : 503)
      .set('Cache-Control', 'no-store')
      .json({ status: ready ? 'ready' : 'unready', checks })
  })

  return router
}

/** A check whose outcome anyone may see, and whose reasons only the log gets: one line a change. */
class ServiceCheck {
  #failing = false

  constructor(
    private readonly name: string,
    private readonly check: () => Promise<unknown>,
    private readonly log: Logger,
  ) {}

  async run(): Promise<{ ok: boolean; latencyMs?: number }> {
    const from = performance.now()
    try {
      await this.check()
      this.#failing = false
      return { ok: true, latencyMs: Math.round((performance.now() - from) * 10) / 10 }
    } catch (error) {
      if (!this.#failing) this.log.warn({ service: this.name, error: (error as Error).message }, 'service is not ready')
      this.#failing = true
      return { ok: false }
    }
  }
}

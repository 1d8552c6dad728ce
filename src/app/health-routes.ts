import { Router } from 'express'
import type { Redis } from 'ioredis'
import type { ObjectStorage } from '../services/object-storage.js'

export interface HealthRouteOptions {
  redis: Redis
  storage: Pick<ObjectStorage, 'check'>
  /** The delay of the event loop at the last measurement, in milliseconds. */
  loopDelayMs: () => number
}

/** A worker whose event loop is delayed for longer than this is not ready. */
const MAX_LOOP_DELAY_MS = 1_000

/** GET /health (can this process serve at all?) and GET /health/ready (can it reach its services?). */
export function healthRoutes({ redis, storage, loopDelayMs }: HealthRouteOptions): Router {
  const router = Router()

  router.get('/health', (_request, response) => {
    response.set('Cache-Control', 'no-store').type('text/plain').send('OK')
  })

  router.get('/health/ready', async (_request, response) => {
    const delayMs = loopDelayMs()
    const [redisCheck, storageCheck] = await Promise.all([timed(() => redis.ping()), timed(() => storage.check())])
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

async function timed(check: () => Promise<unknown>): Promise<{ ok: boolean; latencyMs?: number; error?: string }> {
  const from = performance.now()
  try {
    await check()
    return { ok: true, latencyMs: Math.round((performance.now() - from) * 10) / 10 }
  } catch (error) {
    return { ok: false, error: (error as Error).message }
  }
}

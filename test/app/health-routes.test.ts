import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { PassThrough } from 'node:stream'
import express from 'express'
import { pino } from 'pino'
import t from 'tap'
import { healthRoutes } from '#src/app/health-routes.js'
import { ask, jsonOf } from '../helpers/client.js'
import { RedisServer } from '../helpers/redis-server.js'

void t.test('a Redis that refuses writes is not ready, and only the log tells why', async t => {
  const redis = await RedisServer.start(t)
  const lines = new PassThrough({ encoding: 'utf8' })
  const services = { redis: await redis.connect(t), storage: { check: () => Promise.resolve() }, loopDelayMs: () => 0 }
  const server = createServer(express().use(healthRoutes({ ...services, log: pino(lines) }))).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  const ready = () => ask(`http://127.0.0.1:${(server.address() as AddressInfo).port}`, '/health/ready')
  t.match(await ready(), { status: 200 })

  await redis.send('CONFIG', 'SET', 'min-replicas-to-write', '1')
  const unready = await ready()
  await ready()
  t.equal(unready.status, 503)
  t.strictSame(jsonOf(unready)['status'], 'unready')
  t.strictSame((jsonOf(unready)['checks'] as Record<string, unknown>)['redis'], { ok: false })
  t.match(String(lines.read()), /^[^\n]*NOREPLICAS[^\n]*service is not ready[^\n]*\n$/, 'said once')

  await redis.send('CONFIG', 'SET', 'min-replicas-to-write', '0')
  t.match(await ready(), { status: 200 })
})

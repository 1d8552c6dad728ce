import express, { type RequestHandler } from 'express'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { pino } from 'pino'
import { answerErrors } from '#src/app/errors.js'
import type { Harness } from './harness.js'

/** One handler of an Express app on a port of its own, its errors answered as the built-in app answers them. */
export async function serveRoute(t: Harness, handler: RequestHandler): Promise<string> {
  const app = express()
  app.use(handler, answerErrors(pino({ level: 'silent' })))
  const server = app.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close().closeAllConnections())
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

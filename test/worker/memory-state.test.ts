import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import express, { type RequestHandler } from 'express'
import { rateLimit, type Store } from 'express-rate-limit'
import session from 'express-session'
import t, { type Test } from 'tap'
import { MemoryState } from '#src/worker/memory-state.js'
import { ask } from '../helpers/client.js'

const REQUESTS = 4

/** A store as those of several processes are: each answer has its own time. */
class SharedStore implements Store {
  #hits = 0
  increment(): { totalHits: number; resetTime: Date } {
    this.#hits += 1
    return { totalHits: this.#hits, resetTime: new Date(Date.now() + 60_000) }
  }
  decrement(): void {
    this.#hits -= 1
  }
  resetKey(): void {
    this.#hits = 0
  }
}

/** The kinds that are told while an app with this middleware answers. */
async function toldOf(t: Test, middleware: RequestHandler): Promise<string[]> {
  const told: string[] = []
  const door = { owns: () => false, handleRequest: () => undefined, handleUpgrade: () => undefined }
  new MemoryState(
    () => false,
    state => told.push(state),
  ).watch(door)
  const app = express()
    .use(middleware)
    .get('/', (_request, response) => void response.send('ok'))
  const server = createServer(app).listen(0, '127.0.0.1')
  t.teardown(() => server.close())
  await once(server, 'listening')
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  for (let i = 0; i < REQUESTS; i += 1) t.equal((await ask(url, '/')).text, 'ok')
  return told
}

void t.test('rate limits that an ES module counts in its memory are noticed', async t => {
  t.strictSame(await toldOf(t, rateLimit({ limit: 1_000, validate: false })), ['rate limits'])
})

void t.test('rate limits that an ES module counts in a store that workers share are not taken for others', async t => {
  const limiter = rateLimit({ limit: 1_000, validate: false, store: new SharedStore() })
  t.strictSame(await toldOf(t, limiter), [])
})

void t.test('sessions in memory are reported once', async t => {
  const sessions = session({ secret: 'k', resave: false, saveUninitialized: true })
  t.strictSame(await toldOf(t, sessions), ['sessions'])
})

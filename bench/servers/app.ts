/**
 * The app that every peer serves, unchanged: the guide's routes, written the guide's way. It does not
 * depend on its peer. Outpost runs this module as APP, and the others run it by `serve.js`. It uses no lent services.
 *
 * All peers share one redis-server over loopback TCP, without persistence, so that no disk decides a comparison.
 */
import bcrypt from 'bcrypt'
import { RedisStore } from 'connect-redis'
import express, { type Request } from 'express'
import session from 'express-session'
import { Redis } from 'ioredis'
import { setTimeout as sleep } from 'node:timers/promises'

const DATABASE_MS = 20
const COST = 10

interface Credentials {
  username: string
  password: string
}

const redis = new Redis(process.env['BENCH_REDIS_URL'] ?? 'redis://127.0.0.1:6379', { lazyConnect: false })
redis.on('error', () => undefined)

const app = express()

/** The session, with the name of the signed-in person. */
const signedIn = ({ session }: Request): { username?: string } => session as { username?: string }

const sessions = session({
  store: new RedisStore({ client: redis }),
  secret: 'the same for every peer',
  resave: false,
  saveUninitialized: false,
})

// Before the session middleware, which the guide's health route has no use for.
app.get('/health', (_request, response) => {
  response.status(200).send('OK')
})

/** Keeps a core busy, as templates and JSON do. */
app.get('/busy', (_request, response) => {
  const until = performance.now() + 5
  while (performance.now() < until);
  response.send('OK')
})

/** Reads a body of any size. */
app.post('/sink', (request, response) => {
  let bytes = 0
  request.on('data', (chunk: Buffer) => (bytes += chunk.length))
  request.on('end', () => response.send(String(bytes)))
})

app.post('/register', express.json(), async (request, response) => {
  const { username, password } = request.body as Credentials
  const record = JSON.stringify({ username, password: await bcrypt.hash(password, COST) })
  const stored = await redis.set(`bench:user:${username}`, record, 'NX')
  response.status(stored === null ? 409 : 201).json({ username })
})

app.post('/login', express.json(), sessions, async (request, response) => {
  const { username, password } = request.body as Credentials
  const record = await redis.get(`bench:user:${username}`)
  if (record === null || !(await bcrypt.compare(password, (JSON.parse(record) as Credentials).password))) {
    response.status(401).json({ error: 'Invalid credentials' })
    return
  }
  signedIn(request).username = username
  response.json({ username })
})

app.get('/me', sessions, async (request, response) => {
  const { username } = signedIn(request)
  const record = username === undefined ? null : await redis.get(`bench:user:${username}`)
  if (record === null) response.status(401).json({ error: 'Unauthorized' })
  else response.json({ username: (JSON.parse(record) as Credentials).username })
})

app.get('/products/:id', async (request, response) => {
  const key = `bench:product:${request.params.id}`
  const cached = await redis.get(key)
  if (cached !== null) {
    response.json(JSON.parse(cached))
    return
  }
  await sleep(DATABASE_MS)
  const product = { id: request.params.id, name: 'A thing', price: 1_999, updatedAt: new Date().toISOString() }
  await redis.set(key, JSON.stringify(product), 'EX', 600)
  response.json(product)
})

export default app

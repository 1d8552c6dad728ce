import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import express from 'express'
import type { SessionOptions } from 'express-session'
import t, { type Test } from 'tap'
import { keys } from '#src/services/keys.js'
import { createSessions, createSessionStore } from '#src/services/sessions.js'
import { ask, cookieOf, type Answer } from '../helpers/client.js'
import { RedisServer } from '../helpers/redis-server.js'

const DAY = 24 * 60 * 60

declare module 'express-session' {
  interface SessionData {
    visits?: number
  }
}

const server = await RedisServer.start(t)
const redis = await server.connect(t)
t.beforeEach(() => redis.flushall())

interface WorkerOptions {
  extend?: boolean
  production?: boolean
  options?: Partial<SessionOptions>
}

type Get = (path: string, cookie?: string, headers?: Record<string, string>) => Promise<Answer>

/** An app that counts visits at `/visit`, ends the session at `/leave`, and answers without one elsewhere. */
async function worker(t: Test, { extend = false, production = false, options }: WorkerOptions = {}): Promise<Get> {
  const app = express().set('trust proxy', true)
  const store = createSessionStore(await server.connect(t), { extend })
  app.use(createSessions(store, { secret: 'a secret that all workers have', production }, options))
  app.get('/visit', ({ session }, response) => {
    session.visits = (session.visits ?? 0) + 1
    response.json(session.visits)
  })
  app.get('/leave', ({ session }, response) => void session.destroy(() => response.end()))
  app.get('/', ({ session }, response) => void response.json(session.visits ?? 0))
  const http = app.listen(0, '127.0.0.1')
  t.teardown(() => http.close())
  await once(http, 'listening')
  const base = `http://127.0.0.1:${(http.address() as AddressInfo).port}`
  return (path, cookie, headers = {}) => ask(base, path, { headers: { ...headers, ...(cookie && { cookie }) } })
}

async function ttl(): Promise<number> {
  const [key] = await redis.keys(`${keys.sessionPrefix}*`)
  return redis.ttl(key!)
}

void t.test('every worker knows every session and its end', async t => {
  const [one, another] = [await worker(t), await worker(t)]
  const cookie = cookieOf(await one('/visit'))
  t.equal((await another('/visit', cookie)).text, '2')
  t.equal((await one('/visit', cookie)).text, '3')
  await another('/leave', cookie)
  t.equal((await one('/', cookie)).text, '0')
})

void t.test('a visitor without a session gets no cookie, and nothing is stored', async t => {
  const get = await worker(t)
  t.equal((await get('/')).headers['set-cookie'], undefined)
  t.equal(await redis.dbsize(), 0)
})

void t.test('an unknown session id is replaced', async t => {
  const get = await worker(t)
  const own = cookieOf(await get('/visit'))
  await get('/leave', own)
  for (const cookie of [own, own.replace('s%3A', 's%3Ax'), 'outpost.sid=chosen']) {
    const answer = await get('/visit', cookie)
    t.equal(answer.text, '1', cookie)
    t.not(cookieOf(answer), '')
    t.not(cookieOf(answer), cookie)
  }
})

void t.test('the session cookie is HttpOnly and SameSite and lasts a day', async t => {
  const [cookie] = (await (await worker(t))('/visit')).headers['set-cookie']!
  t.match(cookie, /^outpost\.sid=s%3A[^;]+; Path=\/; Expires=[^;]+; HttpOnly; SameSite=Lax$/)
  const expires = Date.parse(/Expires=([^;]+)/.exec(cookie!)![1]!)
  t.ok(Math.abs(expires - Date.now() - DAY * 1_000) < 10_000)
})

void t.test('in production the session cookie is for https only', async t => {
  const get = await worker(t, { production: true, options: { proxy: true } })
  t.equal((await get('/visit')).headers['set-cookie'], undefined)
  t.match((await get('/visit', '', { 'x-forwarded-proto': 'https' })).headers['set-cookie']?.[0], /; Secure/)
})

void t.test('a session of the built-in app ends after a day', async t => {
  const get = await worker(t)
  const cookie = cookieOf(await get('/visit'))
  const left = await ttl()
  t.ok(left > DAY - 10 && left <= DAY, String(left))
  await redis.expire((await redis.keys('*'))[0]!, 100)
  t.equal((await get('/', cookie)).text, '1')
  t.ok((await ttl()) <= 100)
})

void t.test('a session with extension lasts a day from its last request', async t => {
  const get = await worker(t, { extend: true })
  const cookie = cookieOf(await get('/visit'))
  await redis.expire((await redis.keys('*'))[0]!, 100)
  t.equal((await get('/', cookie)).text, '1')
  t.ok((await ttl()) > 100)
})

void t.test('an app may change some options of the cookie and keeps the others', async t => {
  const get = await worker(t, { options: { name: 'shop.sid', cookie: { sameSite: 'strict' } } })
  t.match((await get('/visit')).headers['set-cookie']?.[0], /^shop\.sid=.*; Expires=[^;]+; HttpOnly; SameSite=Strict$/)
})

void t.test('an app may choose the options of the cookie by request', async t => {
  const cookie: SessionOptions['cookie'] = ({ query }) => (query['from'] === 'embed' ? { sameSite: 'strict' } : {})
  const get = await worker(t, { options: { cookie } })
  for (const [query, sameSite] of [
    ['', 'Lax'],
    ['?from=embed', 'Strict'],
  ]) {
    const [line] = (await get(`/visit${query}`)).headers['set-cookie']!
    t.match(line, new RegExp(`; Path=/; Expires=[^;]+; HttpOnly; SameSite=${sameSite}$`))
  }
})

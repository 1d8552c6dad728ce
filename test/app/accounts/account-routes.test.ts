import { once } from 'node:events'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import express, { type RequestHandler } from 'express'
import t from 'tap'
import { accountRoutes, type AccountRouteOptions } from '#src/app/accounts/account-routes.js'
import { PasswordCheck } from '#src/app/accounts/password-check.js'
import type { Accounts } from '#src/app/accounts/accounts.js'
import { within } from '../../helpers/deadline.js'

const pass: RequestHandler = (_request, _response, next) => next()

void t.test('a client that leaves while its password waits to be hashed frees its place', async t => {
  const asked: AbortSignal[] = []
  const hang = (_username: string, _password: string, gone: AbortSignal): Promise<never> => {
    asked.push(gone)
    return new Promise((_resolve, reject) => gone.addEventListener('abort', () => reject(gone.reason as Error)))
  }
  const accounts = { register: hang, verify: hang } as unknown as Accounts
  const options = {
    accounts,
    passwords: new PasswordCheck(accounts, undefined),
    sessions: pass,
    registerLimit: pass,
    loginLimit: pass,
  } as unknown as AccountRouteOptions
  const server = http.createServer(express().use(express.json(), accountRoutes(options))).listen(0, '127.0.0.1')
  t.teardown(() => server.close())
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo

  for (const path of ['/register', '/login']) {
    const request = http.request({ port, path, method: 'POST', headers: { 'content-type': 'application/json' } })
    const arrived = once(server, 'request')
    request.on('error', () => undefined).end(JSON.stringify({ username: 'someone', password: 'long enough' }))
    await arrived
    while (asked.length === 0) await new Promise(resolve => setImmediate(resolve))
    const gone = asked.pop()!
    t.notOk(gone.aborted)
    const aborted = once(gone, 'abort')
    request.destroy()
    await within(aborted, 'the signal')
  }
})

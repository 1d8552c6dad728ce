import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Request } from 'express'
import session from 'express-session'
import t from 'tap'
import type { Accounts } from '#src/app/accounts/accounts.js'
import { SignIn } from '#src/app/accounts/sign-in.js'
import type { SignIns } from '#src/app/accounts/sign-ins.js'
import { userOf } from '#src/worker/built-in-app.js'
import { ask, cookieOf } from '../helpers/client.js'

void t.test('the user of a request that does not go through the app is found by its session', async t => {
  const sessions = session({ secret: 's', resave: false, saveUninitialized: false })
  const signIns = { isAlive: () => Promise.resolve(true) } as Partial<SignIns> as SignIns
  const signIn = new SignIn({} as Accounts, signIns)
  const server = createServer((request, response) => {
    if (request.url === '/user') void userOf(request, signIn, sessions).then(user => response.end(user ?? 'nobody'))
    else
      void sessions(request as Request, response as never, () => {
        Object.assign((request as Request).session, { username: 'alice', signInId: '1' })
        response.end()
      })
  }).listen(0, '127.0.0.1')
  t.teardown(() => server.close())
  await once(server, 'listening')
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const cookie = cookieOf(await ask(url, '/sign-in'))
  t.match(await ask(url, '/user', { headers: { cookie } }), { text: 'alice' })
  t.match(await ask(url, '/user', { headers: { cookie: 'a=b' } }), { text: 'nobody' })
  t.match(await ask(url, '/user'), { text: 'nobody' })
})

import http, { ServerResponse, type IncomingMessage } from 'node:http'
import { availableParallelism } from 'node:os'
import type { Socket } from 'socket.io'
import type { Request, RequestHandler } from 'express'
import { clientKey } from '#balancer/contract/client-key.js'
import { Accounts } from '../app/accounts/accounts.js'
import { SignIn } from '../app/accounts/sign-in.js'
import { SignIns } from '../app/accounts/sign-ins.js'
import { createApp } from '../app/app.js'
import { MAX_MESSAGE_BYTES, relayMessages } from '../app/chat/chat.js'
import type { Logger } from '../process/log.js'
import type { StartOrder } from '../ipc/messages.js'
import type { Parent } from '../ipc/parent.js'
import { hashLimits, PasswordHasher } from '../app/accounts/password-hasher.js'
import { UploadSweeper } from '../app/uploads/upload-sweeper.js'
import { UPLOAD_PREFIX } from '../app/uploads/uploads.js'
import { SecurityEvents } from '../process/security-events.js'
import { TimeSlices } from '../services/time-slices.js'
import { headersBesideTheApp } from '../app/security-headers.js'
import type { LentServices } from './lent-services.js'

/** The largest share of a worker's time that goes into the messages of the chat. */
const BROADCASTS_SHARE = 0.5

/** The built-in app, over the same services that any other app is lent. */
export function builtInServer(start: StartOrder, services: LentServices, parent: Parent, log: Logger): http.Server {
  const { config, id, workers } = start
  const { redis, cache, storage, sessionStore } = services
  const cores = availableParallelism()
  const hasher = new PasswordHasher(hashLimits(cores, workers))
  parent.on('order', order => {
    if (order.type === 'workers') hasher.setLimits(hashLimits(cores, order.workers))
  })
  const loopDelayMs = (): number => parent.loopDelayMs
  const settings = { ...config, workerName: config.exposeWorker ? id : undefined }
  const sessions = services.builtInSessions()
  const sweeper = new UploadSweeper({ redis, storage, log, prefix: UPLOAD_PREFIX })
  sweeper.start()
  services.onShutdown(() => sweeper.stop())
  const events = new SecurityEvents(log)
  const slices = new TimeSlices<Socket>({ share: BROADCASTS_SHARE })
  services.realtime.ownBy({ headers: headersBesideTheApp(config.production), events, slices })
  const signIn = new SignIn(new Accounts(redis, hasher), new SignIns(redis, sessionStore))
  relayMessages(services.realtime.io({ maxHttpBufferSize: MAX_MESSAGE_BYTES }), {
    limited: config.rateLimitMax > 0,
    events,
    signInRequired: config.chatSignIn,
    userOf: request => userOf(request, signIn, sessions),
    clientAt: clientKey,
  })
  return http.createServer(
    createApp({ redis, cache, storage, sessions, sessionStore, hasher, log, events, loopDelayMs }, settings),
  )
}

/** The user of a request that does not go through the app. */
export async function userOf(
  request: IncomingMessage,
  signIn: SignIn,
  sessions: RequestHandler,
): Promise<string | undefined> {
  const { cookie, authorization } = request.headers
  if (cookie === undefined && authorization === undefined) return undefined
  await new Promise<void>((resolve, reject) => {
    void sessions(request as Request, new ServerResponse(request) as never, (error?: unknown) => {
      if (error === undefined) resolve()
      else reject(new Error('the session store failed', { cause: error }))
    })
  })
  return signIn.usernameOf(request as Request)
}

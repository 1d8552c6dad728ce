import http from 'node:http'
import { availableParallelism } from 'node:os'
import { createApp } from '../app/app.js'
import { MAX_MESSAGE_BYTES, relayMessages } from '../app/chat/chat.js'
import type { Logger } from '../process/log.js'
import type { StartOrder } from '../ipc/messages.js'
import type { Parent } from '../ipc/parent.js'
import { hashLimits, PasswordHasher } from '../app/accounts/password-hasher.js'
import { UploadSweeper } from '../app/uploads/upload-sweeper.js'
import { UPLOAD_PREFIX } from '../app/uploads/uploads.js'
import { SecurityEvents } from '../process/security-events.js'
import { headersBesideTheApp } from '../app/security-headers.js'
import type { LentServices } from './lent-services.js'

/** The built-in app, over the same services that any other app is lent. */
export function builtInServer(start: StartOrder, services: LentServices, parent: Parent, log: Logger): http.Server {
  const { config, id } = start
  const { redis, cache, storage, sessionStore } = services
  const cores = availableParallelism()
  const hasher = new PasswordHasher(hashLimits(cores, config.workers))
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
  services.realtime.ownBy({ headers: headersBesideTheApp(config.production), events })
  const io = services.realtime.io({ maxHttpBufferSize: MAX_MESSAGE_BYTES })
  relayMessages(io, { limited: config.rateLimitMax > 0, events })
  return http.createServer(
    createApp({ redis, cache, storage, sessions, sessionStore, hasher, log, events, loopDelayMs }, settings),
  )
}

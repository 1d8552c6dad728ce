import cluster from 'node:cluster'
import type http from 'node:http'
import { exit, exitCodes } from '../process/exit.js'
import { createLog, type Logger } from '../process/log.js'
import type { StartOrder } from '../ipc/messages.js'
import { Parent } from '../ipc/parent.js'
import { LentServices } from './lent-services.js'
import { ListenTakeover } from './listen-takeover.js'
import { loadApp } from './load-app.js'
import type { Mesh } from './mesh.js'
import { WorkerServer } from './worker-server.js'

/** The body of a worker process: loads the app, lends it the services, serves it, reports. */
export async function runWorker(): Promise<void> {
  // Node's cluster would end a worker in mid-request when its primary exits. The worker exits by itself: see `gone`.
  if (cluster.worker !== undefined) cluster.worker.exitedAfterDisconnect = true
  const { parent, start } = await Parent.join()
  process.title = `outpost worker ${start.id}`
  const log = createLog(`worker ${start.id}`, start.config.logLevel)
  let mesh: Mesh | undefined
  const crash = (error: Error): void => {
    if (mesh !== undefined) return mesh.crash(error)
    log.fatal({ err: error }, 'uncaught exception')
    exit(exitCodes.failure)
  }
  // Added late, because an app with a listener of its own decides, and some check whether there are other listeners.
  process.on('uncaughtExceptionMonitor', () => {
    if (process.listenerCount('uncaughtException') === 0) process.once('uncaughtException', crash)
  })

  const services = new LentServices(start, log)
  const { realtime } = services
  // The app may close what it has opened while it was loaded.
  parent.whenStoppedEarly(() => void services.stop().then(() => exit(exitCodes.ok)))
  const server = new WorkerServer(await appServer(start, services, parent, log), start, realtime)
  await services.reachable()
  await server.start()
  if (start.mesh) mesh = (await import('./mesh.js')).serveMesh(start, parent, server, log)

  const leave = async (deadlineMs: number): Promise<void> => {
    realtime.drain()
    await mesh?.leave(deadlineMs)
    realtime.stop()
    await server.stop(deadlineMs)
    await services.stop()
    exit(exitCodes.ok)
  }
  parent.on('order', order => {
    if (order.type === 'drain') realtime.drain()
    else if (order.type === 'stop') void leave(order.deadlineMs)
  })
  parent.whenGone(leave)
  parent.begin()
  parent.report({ type: 'ready' })
  if (start.config.app === undefined) services.storage.warmUp()
}

async function appServer(start: StartOrder, services: LentServices, parent: Parent, log: Logger): Promise<http.Server> {
  const { config, socketPath, publicPort } = start
  if (config.app === undefined) return (await import('./built-in-app.js')).builtInServer(start, services, parent, log)
  const takeover = new ListenTakeover({ socketPath, publicPort })
  takeover.install()
  try {
    return await loadApp(config.app, services.toOutpost(), takeover, log)
  } catch (error) {
    parent.report({ type: 'failed', reason: (error as Error).message })
    log.fatal({ err: error }, 'the app cannot be loaded')
    exit(exitCodes.failure)
  }
}

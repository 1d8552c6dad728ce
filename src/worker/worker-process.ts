import cluster from 'node:cluster'
import { exit, exitCodes } from '../process/exit.js'
import { builtInServer } from './built-in-app.js'
import { LentServices } from './lent-services.js'
import { WorkerLife } from './worker-life.js'
import { WorkerServer } from './worker-server.js'

/** The body of a worker process with the built-in app: makes it, serves it, reports. */
export async function runWorker(): Promise<void> {
  // Node's cluster would exit the worker while requests are in flight. The worker exits by itself: see `gone`.
  if (cluster.worker !== undefined) cluster.worker.exitedAfterDisconnect = true
  const life = await WorkerLife.join()
  const { parent, start, log } = life
  process.title = `outpost worker ${start.id}`
  const services = new LentServices(start, log)
  const { realtime } = services
  parent.whenStoppedEarly(() => void services.stop().then(() => exit(exitCodes.ok)))
  const server = new WorkerServer(
    builtInServer(start, services, parent, log),
    { ...start, onRefused: () => life.noteRefused() },
    realtime,
  )
  await services.reachable()
  await server.start()
  await life.serve(server, {
    drain: () => realtime.drain(),
    async leave(deadlineMs, mesh) {
      realtime.drain()
      await mesh?.leave(deadlineMs)
      realtime.stop()
      await server.stop(deadlineMs)
      await services.stop()
      exit(exitCodes.ok)
    },
  })
  services.storage.warmUp()
}

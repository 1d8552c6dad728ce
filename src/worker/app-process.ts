import type { Server } from 'node:http'
import { hasModuleHooks } from '../config/app-environment.js'
import { exit, exitCodes } from '../process/exit.js'
import { AppEntry } from './app-entry.js'
import { AppServices } from './app-services.js'
import type { Preloaded } from './preload.js'
import { WorkerLife } from './worker-life.js'
import { WorkerServer } from './worker-server.js'

/** The body of a worker process with somebody else's app, which is its main module and has begun already. */
export async function runAppProcess({ listeners, events, title }: Preloaded): Promise<void> {
  const life = await WorkerLife.join(events)
  const { parent, start, log } = life
  if (process.title === title) process.title = `outpost worker ${start.id}`
  const services = new AppServices(start, log)
  parent.whenStoppedEarly(() => void services.stop().then(() => exit(exitCodes.ok)))

  let worker: WorkerServer | undefined = undefined as WorkerServer | undefined
  let latest: Server | undefined
  const first = new Promise<Server>(resolve => {
    listeners.observe({
      published(server) {
        latest = server
        worker?.adopt(server)
        resolve(server)
      },
      remarked: remark => log.warn(remark),
    })
  })
  const entry = new AppEntry({
    file: process.argv[1] ?? '',
    entry: start.config.appEntry,
    port: start.publicPort,
    listeners,
    hooked: hasModuleHooks(),
    lend: () => services.lend(),
    lentReady: () => services.reachable(),
    log,
  })
  events.whenIdle = () => {
    process.channel?.ref()
    void entry.idle()
  }
  entry.start()
  // What else keeps the event loop alive is the app's.
  process.channel?.unref()
  const server = await Promise.race([first, entry.failed]).catch((error: unknown) => life.fail(error as Error))
  events.whenIdle = undefined
  process.channel?.ref()
  entry.stop()

  const served = new WorkerServer(server, start, services.door)
  worker = served
  if (latest !== undefined) served.adopt(latest)
  await listeners.serve(start.socketPath)
  await life.serve(served, {
    drain: () => services.drain(),
    async leave(deadlineMs, mesh) {
      const deadline = performance.now() + deadlineMs
      const left = (): number => Math.max(0, deadline - performance.now())
      services.drain()
      await mesh?.leave(deadlineMs)
      services.endRealtime()
      listeners.retire()
      await served.drain(left())
      await services.runShutdownWork()
      if (events.tellAppToEnd()) {
        // An app that only closes what it has opened ends by itself, as it does under node.
        process.channel?.unref()
        setTimeout(() => exit(exitCodes.ok), left()).unref()
        await served.closed
        await services.stop()
      } else {
        await served.stop(left())
        await services.stop()
        exit(exitCodes.ok)
      }
    },
  })
}

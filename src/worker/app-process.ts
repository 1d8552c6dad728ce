import { hasModuleHooks } from '../config/app-environment.js'
import { exit, exitCodes } from '../process/exit.js'
import { AppDeparture } from './app-departure.js'
import { AppEntry } from './app-entry.js'
import { whenAppIsOver } from './app-over.js'
import { AppServices } from './app-services.js'
import { MemoryState } from './memory-state.js'
import type { OwnEvents } from './own-events.js'
import { ownWork } from './own-work.js'
import type { Preloaded } from './preload.js'
import { PublishedServer } from './published-server.js'
import { WorkerLife } from './worker-life.js'
import { WorkerServer } from './worker-server.js'

/** The body of a worker process with somebody else's app, which is its main module and has begun already. */
export async function runAppProcess({ listeners, events, title, lendBy }: Preloaded): Promise<void> {
  const life = await WorkerLife.join(events)
  const { parent, start, log } = life
  if (process.title === title) process.title = `outpost worker ${start.id}`
  const services = new AppServices(start, service => parent.report({ type: 'needs', service }), log)
  parent.tellLeases(() => services.leases())
  lendBy(() => services.lend())
  parent.whenStoppedEarly(() => void services.stop().then(() => exit(exitCodes.ok)))

  const entry = new AppEntry({
    file: process.argv[1] ?? '',
    entry: start.config.appEntry,
    servedBefore: start.servedBy,
    port: start.publicPort,
    listeners,
    hooked: hasModuleHooks(),
    lend: () => services.lend(),
    lentReady: () => services.reachable(),
    log,
  })
  const published = new PublishedServer(
    listeners,
    remark => log.warn(remark),
    by => parent.report({ type: 'served-by', by, waited: entry.hasWaited }),
  )
  const first = untilServed(published, entry, events)
  const server = await first.catch((error: unknown) => life.fail(error as Error))

  const memory = new MemoryState(
    () => services.areUsed,
    state => parent.report({ type: 'keeps-locally', state }),
  )
  const served = new WorkerServer(
    server,
    { ...start, onRefused: () => life.noteRefused() },
    memory.watch(services.door),
  )
  published.serveBy(served)
  await listeners.serve(start.socketPath)
  const tellOwnWork = (): void => {
    const { timers, connections } = ownWork()
    if (timers + connections.length > 0) parent.report({ type: 'own-work', timers, connections: [...connections] })
  }
  await life.serve(served, new AppDeparture(served, listeners, services, events, tellOwnWork), listeners.host)
  whenAppIsOver(
    () => listeners.isPublished() || events.haveToldApp,
    () => parent.report({ type: 'replace-me', reason: 'app has closed its server and has nothing left to do' }),
  )
}

/** @throws {AppError} the app cannot come to be served */
async function untilServed({ first }: PublishedServer, entry: AppEntry, events: OwnEvents) {
  events.whenIdle = () => {
    process.channel?.ref()
    void entry.idle()
  }
  entry.start()
  // Everything else that keeps the event loop alive is the app's.
  process.channel?.unref()
  const server = await Promise.race([first, entry.failed])
  events.whenIdle = undefined
  process.channel?.ref()
  entry.stop()
  return server
}

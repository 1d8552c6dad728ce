import cluster from 'node:cluster'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { isMainThread } from 'node:worker_threads'
import { appPort, isSpare } from '../config/app-environment.js'
import { waitAtGate } from '../ipc/gate.js'
import { AppListeners } from './app-listeners.js'
import { replaceInPlaceOfEnd } from './cluster-worker.js'
import { OwnEvents } from './own-events.js'

/** The parts that the preload has put in place before the first line of the app ran. */
export interface Preloaded {
  listeners: AppListeners
  events: OwnEvents
  /** The title of the process as Node made it. */
  title: string
  /** From now on an app that asks for the services gets what this gives. */
  lendBy: (lend: () => Promise<object>) => void
}

/** An app that listens by itself finds the services by this name. Under plain node nothing is there. */
const SERVICES = Symbol.for('outpost')

/**
 * Runs in a worker before the app, which is the main module: `node --require preload.cjs app.js`. It does what has to
 * be done first, and has everything else loaded once the app's own first turn is over.
 */
function preload(): void {
  hideOwnFlags()
  if (isMainThread && isSpare()) {
    loadBody()
    waitAtGate()
  }
  // The app's threads inherit the flags; so do the processes that it forks with flags of its own.
  if (!isMainThread || cluster.worker === undefined) return
  // Node's cluster would end a worker in mid-request when its primary exits. The worker exits by itself.
  cluster.worker.exitedAfterDisconnect = true
  process.channel?.ref()
  const { title } = process
  const events = new OwnEvents()
  events.install()
  replaceInPlaceOfEnd(cluster.worker, events)
  const listeners = new AppListeners(appPort())
  listeners.install()
  const lendBy = offerServices()
  setImmediate(() => void runBody({ listeners, events, title, lendBy }))
}

/** An app may ask before anything can be lent. */
function offerServices(): Preloaded['lendBy'] {
  let lendBy: Preloaded['lendBy'] = () => undefined
  const lender = new Promise<() => Promise<object>>(resolve => (lendBy = resolve))
  Object.defineProperty(globalThis, SERVICES, { value: async () => (await lender)() })
  return lendBy
}

/** The code of Outpost that runs beside the app. */
const BODY = join(__dirname, 'worker', 'app-process.js')

/** A spare loads it while it waits, where Node can do that before the app's first line. */
function loadBody(): void {
  if (Number(process.versions.node.split('.')[0]) >= 24) createRequire(__filename)(BODY)
}

async function runBody(preloaded: Preloaded): Promise<void> {
  const { runAppProcess } = (await import(pathToFileURL(BODY).href)) as {
    runAppProcess: (preloaded: Preloaded) => Promise<void>
  }
  await runAppProcess(preloaded)
}

/** `fork` and the app's own worker threads take over what is here. */
function hideOwnFlags(): void {
  const flags = process.execArgv
  const preloadAt = flags.indexOf(__filename)
  if (preloadAt > 0) flags.splice(preloadAt - 1, 2)
  const own = /^--(max-http-header-size|max-semi-space-size)=/
  for (let at = flags.length - 1; at >= 0; at -= 1) if (own.test(flags[at] ?? '')) flags.splice(at, 1)
}

preload()

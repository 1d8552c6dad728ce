import { once } from 'node:events'
import { constants, openSync } from 'node:fs'
import { Socket } from 'node:net'
import { exit, exitCodes } from './process/exit.js'
import { createLog } from './process/log.js'
import { parseOrder, sendReport, type StoreOrder } from './ipc/messages.js'
import { ObjectStore } from './object-store/object-store.js'
import { giveMemoryBack } from './resources/resting-memory.js'

/** Every worker may have as many requests in flight as a balancer allows, and all of them may be uploads. */
const MAX_CONNECTIONS = 8_192

/** Every object is read once a week, from the time when a start has settled. */
const SCRUB_TIMES = { firstAfterMs: 10 * 60_000, everyMs: 7 * 24 * 3_600_000 }

/** The body of the embedded object store's process. It runs until its parent and the last worker have exited. */
export async function runStore(): Promise<void> {
  process.title = 'outpost store'
  // The parent reads this output. After its exit, printing must not end this process.
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => undefined)
  giveMemoryBack()
  const { order, handle } = await startOrder()
  const log = createLog('store', order.logLevel)
  const { directory, socketPath, accessKey, secretKey, region, minFreeBytes } = order
  const warn = (message: string, cause?: unknown): void => log.warn({ err: cause }, message)
  const store = new ObjectStore({
    directory,
    socketPath,
    ...(handle === undefined ? {} : { handle }),
    accessKey,
    secretKey,
    region,
    ...(minFreeBytes === undefined ? {} : { minFreeBytes }),
    warn,
    maxConnections: MAX_CONNECTIONS,
    scrubTimes: SCRUB_TIMES,
  })
  const leave = (): void => void store.stop().then(() => exit(exitCodes.ok))
  process.once('SIGTERM', leave)
  watchLifeline(order.lifeline).once('close', leave)
  try {
    await store.start()
  } catch (error) {
    log.error({ err: error }, 'object store cannot start')
    exit(exitCodes.failure)
  }
  sendReport({ type: 'ready' })
}

async function startOrder(): Promise<{ order: StoreOrder; handle: object | undefined }> {
  sendReport({ type: 'hello' })
  const [message, handle] = (await once(process, 'message')) as [unknown, object | undefined]
  const order = parseOrder(message)
  if (order.type === 'start-store') return { order, handle }
  throw new Error(`the store got an order of type ${order.type}`)
}

/** Closes when the last writer has closed the pipe. */
function watchLifeline(path: string): Socket {
  const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK)
  return new Socket({ fd, readable: true, writable: false }).on('error', () => undefined).resume()
}

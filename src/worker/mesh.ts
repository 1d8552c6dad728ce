import { adoptDealt, brokenAnswer, createBalancer, untilClientsHaveGone } from '../balancer-process.js'
import { exit, exitCodes } from '../process/exit.js'
import type { Logger } from '../process/log.js'
import type { StartOrder } from '../ipc/messages.js'
import { keptFolderBeside } from '../ipc/kept-folder-path.js'
import { requestNotesPath } from '../ipc/request-notes.js'
import type { Parent } from '../ipc/parent.js'
import { openFilesForConnections, openFilesLimit } from '../resources/open-files-limit.js'
import { ClientSocket } from './client-socket.js'
import { SAMPLE_ID } from './last-answers.js'
import { StandIn } from './stand-in.js'
import type { WorkerServer } from './worker-server.js'

/** How long a crashed worker may take to finish requests that cannot be retried elsewhere; then they are 502, or cut. */
const CRASH_PATIENCE_MS = 500
/** How long it then forwards for clients that keep their connections. */
const CRASH_LINGER_MS = 3_000
/** How long the requests that it forwarded may take after that. They may wait for their turn and then for a worker. */
const CRASH_FINISH_MS = 30_000
/** The part of its open files that a worker keeps for the app. */
const SHARE_OF_APP = 1 / 4

/** How a worker ends in mesh mode. */
export interface Mesh {
  /** Requests of this worker's clients that wait for a place at a worker. */
  waiting(): number
  /** Waits for clients and requests to end before the worker's own server stops. */
  leave(deadlineMs: number): Promise<void>
  crash(error: unknown): void
}

/** Mesh mode: this worker is a balancer, too, with its own app as the nearest target. */
export function serveMesh(start: StartOrder, parent: Parent, server: WorkerServer, log: Logger): Mesh {
  let crashed = false
  let leaving = false
  let settleMs: number | undefined
  const standIn = new StandIn(start.socketPath, brokenAnswer(start, SAMPLE_ID), log)
  const balancer = createBalancer(
    start,
    parent,
    {
      onDrained: id => void (id === start.id ? withoutClients() : Promise.resolve()).then(() => drained(id)),
      onBegun: ({ socket, method }) => {
        if (socket instanceof ClientSocket) socket.owe(method)
      },
    },
    {
      messages: server.messages ?? {},
      upgradedInTurns: false,
      maxOpenFiles: openFilesForConnections(openFilesLimit() * SHARE_OF_APP),
      // An app in this process reads the body from its client's request.
      shortBodyBytes: 0,
      keptFolder: keptFolderBeside(start.socketPath),
    },
  )
  /** A replaced worker only forwards until its clients have left. */
  const withoutClients = (): Promise<void> => untilClientsHaveGone(balancer)
  const drained = (id: string): void => parent.report({ type: 'drained', id })

  /** A request may be on its way over a connection, so none is closed at once. */
  async function forwardAndLeave(): Promise<void> {
    balancer.dropLocal(CRASH_PATIENCE_MS)
    await untilClientsHaveGone(balancer, CRASH_LINGER_MS)
    await balancer.stop(CRASH_FINISH_MS)
    exit(exitCodes.failure)
  }

  const open = (handle: object): ClientSocket => new ClientSocket(handle, standIn.answers)

  server.count.keepIn(standIn.calls)
  standIn.start()
  if (server.makesOwnMessages) balancer.setLocalServer(start.id, start.socketPath)
  else balancer.setLocal(start.id, server, start.socketPath)
  parent.on('order', (order, handle) => {
    if (order.type === 'connection') server.takeConnection(() => adoptDealt(balancer, parent, handle, open))
    else if (order.type === 'edge') balancer.setEdge(order.order)
    else if (order.type === 'note-requests') server.count.noteAt(requestNotesPath(start.socketPath))
    else if (order.type === 'last-answers') balancer.askForNewConnections()
    else if (order.type === 'stop') settleMs = order.settleMs
    else if (order.type === 'targets') {
      const targets = crashed ? order.targets.filter(isSibling) : order.targets
      balancer.setTargets(targets, order.balancers, order.ended, order.fatal)
      parent.report({ type: 'routed', list: order.list })
    }
  })
  const isSibling = ({ id }: { id: string }): boolean => id !== start.id

  // The app ends the process, and its clients' connections end with it: nothing can be tried elsewhere.
  process.once('exit', () => {
    if (!crashed && !leaving) balancer.abandon()
  })

  return {
    waiting: () => balancer.waitingForTarget,
    leave(deadlineMs) {
      leaving = true
      return balancer.stop(deadlineMs, settleMs)
    },
    crash(error) {
      log.fatal({ err: error }, 'worker threw an uncaught exception')
      if (crashed) return
      crashed = true
      server.hide()
      parent.report({ type: 'crashed' })
      void forwardAndLeave()
    },
  }
}

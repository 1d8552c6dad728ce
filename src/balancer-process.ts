import { subscribe } from 'node:diagnostics_channel'
import net from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import {
  Balancer,
  ownHeaders,
  ownHeadersForHttps,
  problemMessage,
  type BalancerEvents,
  type BalancerOptions,
} from '#balancer'
import { exit, exitCodes } from './process/exit.js'
import { tellsHttps } from './config/tells-https.js'
import type { BalancerStartOrder } from './ipc/messages.js'
import { Parent } from './ipc/parent.js'
import { SecurityEvents } from './process/security-events.js'
import { rarely } from './process/rarely.js'
import { buffersPassed } from './resources/young-garbage.js'
import { openFilesForConnections } from './resources/open-files-limit.js'

/** Open files for probes of the workers and other work of a balancer. */
const OPEN_FILES_RESERVE = 64

/** The primary is told at most this often that a request found no worker. */
const NO_TARGET_MS = 100

/** How long a balancer that is no longer wanted waits for clients that keep their connections. */
const DRAIN_PATIENCE_MS = 3_000
const CONNECTIONS_CHECK_MS = 100

/** The body of a balancer process: the library, wired to the primary's orders. */
export async function runBalancer(): Promise<void> {
  const { parent, start } = await Parent.join('start-balancer')
  process.title = `outpost balancer ${start.id}`
  const balancer = createBalancer(
    start,
    parent,
    { onBytesPassed: buffersPassed },
    { frames: true, keptFolder: start.keptFolder },
  )
  let requests = 0
  subscribe('http.server.request.start', () => (requests += 1))
  parent.countRequestsBy(() => {
    const { inFlight, upgraded, waiting } = balancer.ledger()
    return { inFlight: inFlight + waiting, streaming: 0, waiting: balancer.waitingForTarget, upgraded, requests }
  })
  const leave = async (deadlineMs: number, settleMs?: number): Promise<void> => {
    await balancer.stop(deadlineMs, settleMs)
    exit(exitCodes.ok)
  }
  const listen = async (handle: object): Promise<void> => {
    try {
      await balancer.listen(handle)
      parent.report({ type: 'listening' })
    } catch (error) {
      parent.report({ type: 'failed', reason: (error as Error).message })
      exit(exitCodes.failure)
    }
  }
  let isDraining = false
  /** Others accept from now on. A request may be on its way over a connection, so none is closed at once. */
  const drain = async (): Promise<void> => {
    isDraining = true
    balancer.stopListening()
    await untilClientsHaveGone(balancer, DRAIN_PATIENCE_MS)
    parent.report({ type: 'clients-gone' })
  }
  parent.on('order', (order, handle) => {
    if (order.type === 'listen' && !isDraining) void listen(handle as object)
    else if (order.type === 'connection') adoptDealt(balancer, parent, handle)
    else if (order.type === 'edge') balancer.setEdge(order.order)
    else if (order.type === 'targets') {
      balancer.setTargets(order.targets, order.balancers, order.ended, order.fatal)
      parent.report({ type: 'routed', list: order.list })
    } else if (order.type === 'last-answers') balancer.askForNewConnections()
    else if (order.type === 'drain') void drain()
    else if (order.type === 'stop') void leave(order.deadlineMs, order.settleMs)
  })
  parent.whenGone(leave)
  parent.begin()
  // An app may take long to say where to listen. That is not a slow start of the balancer.
  parent.report({ type: 'ready' })
}

/** Each next answer is the last on its connection. Over when no client is left, or after `patienceMs`. */
export async function untilClientsHaveGone(balancer: Balancer, patienceMs = Infinity): Promise<void> {
  const deadline = performance.now() + patienceMs
  balancer.closeAfterAnswers()
  while (balancer.connections > 0 && performance.now() < deadline) {
    balancer.closeUnread()
    await sleep(CONNECTIONS_CHECK_MS)
  }
}

/** A balancer with the settings of this instance. It reports the states of its targets to the primary. */
export function createBalancer(
  { config, identityKey }: Pick<BalancerStartOrder, 'config' | 'identityKey'>,
  parent: Parent,
  events: BalancerEvents = {},
  options: Partial<BalancerOptions> = {},
): Balancer {
  // A balancer has no log of its own: the library would cost it memory.
  const report = (facts: Record<string, unknown>, message: string): void => {
    parent.report({ type: 'security', facts, message })
  }
  const security = new SecurityEvents({ info: report, warn: report })
  return new Balancer(
    {
      balance: config.balance,
      trustProxy: config.trustProxy,
      identityKey,
      // A worker answers for an app without a path of its own.
      healthPath: config.healthPath ?? '/',
      edgeHealthPath: config.healthPath,
      upstreamTimeoutMs: config.upstreamTimeoutMs,
      targetKeepAliveMs: Infinity,
      maxHeaderBytes: config.maxHeaderBytes,
      minBytesPerSecond: config.minBytesPerSecond,
      maxInFlight: config.maxInFlight,
      sticky: config.sticky,
      maxSockets: config.maxSockets,
      maxOpenFiles: openFilesForConnections(OPEN_FILES_RESERVE),
      maxUpgradedPerClient: config.maxWebSocketsPerClient,
      ...(tellsHttps(config) ? { ownHeaders: ownHeadersForHttps } : {}),
      ...options,
    },
    {
      onNoTarget: rarely(NO_TARGET_MS, () => parent.report({ type: 'no-worker' })),
      onDrained: id => parent.report({ type: 'drained', id }),
      onTargetState: (id, state) => parent.report({ type: 'target-state', id, state }),
      onTargetOut: (id, reason) => parent.report({ type: 'target-out', id, reason }),
      onTargetExplained: id => parent.report({ type: 'ended-by-request', id }),
      onOldPoll: () => parent.report({ type: 'hint', message: OLD_POLL }),
      onShareReached: (client, resource) => parent.report({ type: 'hint', message: shareReached(client, resource) }),
      onRefused: (code, client) => security.note('framing-refused', `request was refused: ${code}`, { client }),
      onFull: connections => parent.report({ type: 'full', connections }),
      onFatalRequest: found => parent.report({ type: 'fatal-request', ...found }),
      onQuiet: pausedUntil => parent.report({ type: 'quiet', pausedUntil }),
      onReleaseFigures: figures => parent.report({ type: 'release-figures', figures }),
      ...events,
    },
  )
}

/**
 * Serves a connection that the primary has accepted. It is reported before anything is read from it: the primary gives an
 * unreported connection to another process.
 */
export function adoptDealt(balancer: Balancer, parent: Parent, handle: unknown, open = socketOver): void {
  parent.report({ type: 'connection-taken' })
  balancer.adopt(open(handle as object).setNoDelay(true))
}

function socketOver(handle: object): net.Socket {
  const options = { handle, allowHalfOpen: true, readable: true, writable: true }
  return new net.Socket(options)
}

/** The answer to a request that has ended its target, and the last one on its connection. */
export function brokenAnswer({ config }: Pick<BalancerStartOrder, 'config'>, requestId: string): string {
  return problemMessage('UPSTREAM_BROKEN', requestId, tellsHttps(config) ? ownHeadersForHttps : ownHeaders)
}

function shareReached(client: string, resource: string): string {
  return `client ${client} is at its share of ${resource}: the rest is for others (if it is a proxy, set TRUST_PROXY)`
}

const OLD_POLL =
  'client of Socket.IO 1 or 2 polls (EIO=3): its session is lost between workers without STICKY=cookie or STICKY=ip'

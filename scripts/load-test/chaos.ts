import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { ControlClient } from '#src/control/client.js'
import { isAlive } from '../lib/proc.js'
import { throwIn } from './exception.js'
import { controlSocketOf, findProcesses } from './outpost-processes.js'

export const chaosKinds = [
  'reload',
  'upgrade',
  'kill-worker',
  'kill-workers',
  'kill-balancer',
  'kill-redis',
  'hang',
  'exception',
] as const

export type ChaosKind = (typeof chaosKinds)[number]

/** The failures that Outpost's promise allows after a fault. Every other failure is a loss. */
export interface Allowance {
  /** A POST that was in flight on a killed worker: 502. */
  post502: boolean
  /** Requests that were in the hands of a killed balancer: a reset connection. */
  reset: boolean
  /** A request that needs Redis while Redis is away: 503 with Retry-After. */
  unavailable: boolean
}

export function allowanceOf(kinds: readonly ChaosKind[]): Allowance {
  const any = (...some: ChaosKind[]): boolean => some.some(kind => kinds.includes(kind))
  return {
    post502: any('kill-worker', 'kill-workers', 'kill-balancer', 'hang', 'exception'),
    reset: any('kill-balancer'),
    unavailable: any('kill-redis'),
  }
}

const HANG_MS = 15_000
const RELOAD_LIMIT_MS = 60_000
const UPGRADE_LIMIT_MS = 60_000
const LOOK_EVERY_MS = 50

const program = fileURLToPath(new URL('../../main.js', import.meta.url))

/**
 * Causes one fault. Only processes of the Outpost that has the port are touched.
 * @returns false when there was no process of that kind
 */
export async function damage(kind: ChaosKind, port: number): Promise<boolean> {
  const { primary, balancers, workers, redis } = findProcesses(port)
  switch (kind) {
    case 'reload':
      await reload(primary)
      return true
    case 'upgrade':
      await upgrade(primary)
      return true
    case 'kill-worker':
      return kill(...pickOne(workers))
    case 'kill-workers':
      return kill(...workers)
    case 'kill-balancer':
      return kill(...pickOne(balancers))
    case 'kill-redis':
      return kill(...redis)
    case 'hang':
      return hang(...pickOne(workers))
    case 'exception':
      return throwInOneOf(workers)
  }
}

async function reload(primary: number): Promise<void> {
  const client = await ControlClient.connect(controlSocketOf(primary))
  await client.reload(undefined, RELOAD_LIMIT_MS)
}

/** To the program of this clone, on this Node. */
async function upgrade(primary: number): Promise<void> {
  const socket = controlSocketOf(primary)
  const client = await ControlClient.connect(socket)
  const { pid } = await client.upgrade({ program, node: process.execPath })
  const deadline = performance.now() + UPGRADE_LIMIT_MS
  for (;;) {
    const status = await ControlClient.connect(socket)
      .then(client => client.status())
      .catch(() => undefined)
    if (status?.pid === pid && status.state === 'serving') return
    if (performance.now() > deadline) throw new Error('the other version does not serve')
    await sleep(LOOK_EVERY_MS)
  }
}

async function hang(...pids: number[]): Promise<boolean> {
  for (const pid of pids) process.kill(pid, 'SIGSTOP')
  if (pids.length > 0) await sleep(HANG_MS)
  for (const pid of pids.filter(isAlive)) process.kill(pid, 'SIGCONT')
  return pids.length > 0
}

async function throwInOneOf(workers: readonly number[]): Promise<boolean> {
  const [pid] = pickOne(workers)
  if (pid !== undefined) await throwIn(pid)
  return pid !== undefined
}

function kill(...pids: number[]): boolean {
  const alive = pids.filter(isAlive)
  for (const pid of alive) process.kill(pid, 'SIGKILL')
  return alive.length > 0
}

/** A random one of the processes, if there is one. */
function pickOne(pids: readonly number[]): number[] {
  const at = Math.floor(Math.random() * pids.length)
  return pids.slice(at, at + 1)
}

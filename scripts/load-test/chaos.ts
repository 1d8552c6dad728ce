import { setTimeout as sleep } from 'node:timers/promises'
import { throwIn } from './exception.js'
import { findProcesses, isAlive } from './processes.js'

export const chaosKinds = [
  'reload',
  'kill-worker',
  'kill-workers',
  'kill-balancer',
  'kill-redis',
  'hang',
  'exception',
] as const

export type ChaosKind = (typeof chaosKinds)[number]

/** What a fault may cost by Outpost's promise. Everything else is a loss. */
export interface Allowance {
  /** A POST that was in flight on a killed worker: 502. */
  post502: boolean
  /** Requests that were in the hands of a killed balancer: a reset connection. */
  reset: boolean
  /** What needs Redis while it is away: 503 with Retry-After. */
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

/** Does one piece of damage. Only processes of the Outpost that has the port are touched. */
export async function damage(kind: ChaosKind, port: number): Promise<void> {
  const { primary, balancers, workers, redis } = findProcesses(port)
  switch (kind) {
    case 'reload':
      return reload(primary, workers)
    case 'kill-worker':
      return kill(pickOne(workers))
    case 'kill-workers':
      return kill(...workers)
    case 'kill-balancer':
      return kill(pickOne(balancers))
    case 'kill-redis':
      return kill(...redis)
    case 'hang':
      return hang(pickOne(workers))
    case 'exception':
      return throwInOneOf(workers)
  }
}

/** Over when none of the workers that were there is there any more. */
async function reload(primary: number, before: readonly number[]): Promise<void> {
  process.kill(primary, 'SIGHUP')
  const deadline = Date.now() + RELOAD_LIMIT_MS
  while (Date.now() < deadline) {
    await sleep(100)
    if (!before.some(isAlive)) return
  }
  throw new Error('a reload was not over within a minute')
}

async function hang(pid: number | undefined): Promise<void> {
  if (pid === undefined) return
  process.kill(pid, 'SIGSTOP')
  await sleep(HANG_MS)
  if (isAlive(pid)) process.kill(pid, 'SIGCONT')
}

async function throwInOneOf(workers: readonly number[]): Promise<void> {
  const pid = pickOne(workers)
  if (pid !== undefined) await throwIn(pid)
}

function kill(...pids: Array<number | undefined>): void {
  for (const pid of pids) if (pid !== undefined && isAlive(pid)) process.kill(pid, 'SIGKILL')
}

function pickOne(pids: readonly number[]): number | undefined {
  return pids[Math.floor(Math.random() * pids.length)]
}

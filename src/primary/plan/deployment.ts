import type { Release } from './desired.js'

/** A step of the bake: a share of the clients, for a time in milliseconds. */
export interface Stage {
  readonly share: number
  readonly ms: number
}

/**
 * - `starting`: the workers of the next stage are started; clients get what they got before
 * - `baking`: a share of the clients gets the new release
 * - `filling`: all wanted workers of the new release are started; clients get what they got before
 * - `live`: all clients get the new release, and the old one is kept warm for a while
 * - `over`: the old release has gone
 * - `taken-back`: all clients get the old release again
 */
export type DeploymentPhase = 'starting' | 'baking' | 'filling' | 'live' | 'over' | 'taken-back'

/** One change from a release to another. Times in milliseconds of one steady clock. */
export interface Deployment {
  readonly from: string
  readonly to: string
  readonly stages: readonly Stage[]
  /** How long the old release stays ready for a way back. */
  readonly keepWarmMs: number
  /** Workers that are started for a phase have this long to be proven. */
  readonly startMs: number
  readonly phase: DeploymentPhase
  /** The stage that is prepared or under way. */
  readonly stage: number
  /** When the phase began. */
  readonly since: number
  /** Why it was taken back. */
  readonly reason?: string
}

/** The facts about the new release. */
export interface DeploymentFacts {
  /** The places of the new release whose workers are ready, reachable and have lasted. */
  readonly proven: ReadonlySet<number>
  /** The reason to take it back, if there is one. */
  readonly fault: string | undefined
  /** How many workers are wanted. */
  readonly workers: number
}

/** How many workers of each release have ended unasked during a change. */
export interface Losses {
  readonly from: number
  readonly to: number
}

/** A change that is about to begin. Without stages all clients get the new release as soon as its workers are proven. */
export function beginDeployment(
  change: Pick<Deployment, 'from' | 'to' | 'stages' | 'keepWarmMs' | 'startMs'>,
  now: number,
): Deployment {
  return { ...change, phase: change.stages.length === 0 ? 'filling' : 'starting', stage: 0, since: now }
}

/** After a sleep of the primary, the time that clients or workers have begins anew: nothing happened meanwhile. */
export function resumed(deployment: Deployment, awakeSince: number): Deployment {
  const { phase, since } = deployment
  const isAtWork = phase === 'starting' || phase === 'baking' || phase === 'filling'
  return isAtWork && since < awakeSince ? { ...deployment, since: awakeSince } : deployment
}

/** The next state. Pure; it is asked again as long as it answers with another phase or stage. */
export function advance(deployment: Deployment, facts: DeploymentFacts, now: number): Deployment {
  const { phase, stage, stages, since, keepWarmMs, startMs } = deployment
  if (phase === 'taken-back' || phase === 'over') return deployment
  if (phase === 'live') return now - since >= keepWarmMs ? { ...deployment, phase: 'over', since: now } : deployment
  if (facts.fault !== undefined) return { ...deployment, phase: 'taken-back', since: now, reason: facts.fault }
  if (phase === 'baking') {
    if (now - since < (stages[stage]?.ms ?? 0)) return deployment
    const next = stage + 1
    return { ...deployment, phase: next < stages.length ? 'starting' : 'filling', stage: next, since: now }
  }
  const places = Array.from({ length: workersOf(deployment, facts.workers) }, (_, place) => place)
  const missing = places.filter(place => !facts.proven.has(place)).length
  if (missing > 0 && now - since < startMs) return deployment
  if (missing > 0) return { ...deployment, phase: 'taken-back', since: now, reason: notProven(missing, startMs) }
  return { ...deployment, phase: phase === 'starting' ? 'baking' : 'live', since: now }
}

/**
 * Whether the last end of a worker of the new release is its fault. Where the old release loses as many, it is not.
 * @param early it had not served for long enough
 */
export function isBlamed(losses: Losses, early: boolean): boolean {
  return early || losses.to > losses.from
}

/** The time at which it has to be looked at again, at the latest. */
export function dueAt({ phase, since, stage, stages, keepWarmMs, startMs }: Deployment): number {
  if (phase === 'baking') return since + (stages[stage]?.ms ?? 0)
  if (phase === 'live') return since + keepWarmMs
  return phase === 'starting' || phase === 'filling' ? since + startMs : Infinity
}

/** The releases that are to run, and what clients get of them. @param workers that are wanted */
export function releasesOf(deployment: Deployment, workers: number): Release[] {
  const { from, to, phase } = deployment
  if (phase === 'over') return [{ id: to, workers }]
  if (phase === 'taken-back') return [{ id: from, workers }, withdrawn(to)]
  const others = { id: to, workers: workersOf(deployment, workers) }
  if (phase !== 'live')
    return [
      { id: from, workers },
      { ...others, share: shareOf(deployment) },
    ]
  return [others, { id: from, workers, share: 0 }]
}

/** Its workers end, independent of the others. */
export function withdrawn(id: string): Release {
  return { id, workers: 0, share: 0 }
}

/** The share of the clients that get the new release. */
export function shareOf({ phase, stage, stages }: Deployment): number {
  if (phase === 'live' || phase === 'over') return 1
  const served = phase === 'baking' ? stage : stage - 1
  return phase === 'taken-back' ? 0 : (stages[served]?.share ?? 0)
}

/** How many workers the new release needs for its phase: as many as its share of the clients takes. */
function workersOf({ phase, stage, stages }: Deployment, workers: number): number {
  if (phase !== 'starting' && phase !== 'baking') return workers
  return Math.max(1, Math.ceil(workers * (stages[stage]?.share ?? 1)))
}

function notProven(workers: number, startMs: number): string {
  return `${workers === 1 ? 'a worker was' : `${workers} workers were`} not found healthy within ${startMs / 1_000} s`
}

import type { Desired, PlanLimits } from '#src/primary/plan/desired.js'
import type { History } from '#src/primary/plan/observed.js'
import type { FakeChild } from './fake-child.js'

/** The facts that the invariants are checked against. Times in milliseconds. */
export interface SimulatedWorld {
  readonly now: number
  readonly awakeSince: number
  readonly desired: Desired
  /** That the last command wants of the live release: 0 while nobody asks for anything. */
  readonly workers: number
  readonly limits: PlanLimits
  readonly history: History
  children(): FakeChild[]
  child(name: string): FakeChild | undefined
  /** The keys of the wanted places. */
  wantedPlaces(): ReadonlySet<string>
}

/** A broken promise of the plan. */
export class BrokenInvariant extends Error {}

export function ensure(holds: boolean, what: string): asserts holds {
  if (!holds) throw new BrokenInvariant(what)
}

/** The processes that have not given up a place, the oldest first. */
export function occupantsOf(world: SimulatedWorld, key: string): FakeChild[] {
  return world
    .children()
    .filter(child => child.key === key && child.isStaying)
    .sort((a, b) => a.startedAt - b.startedAt)
}

export function isProven(world: SimulatedWorld, { readyAt, isStaying, isReachable }: FakeChild): boolean {
  return isReachable && isStaying && readyAt !== undefined && world.now - readyAt >= world.limits.provenMs
}

/** A seed whose story broke a promise. The message has the end of the story. */
export class SimulationError extends Error {
  constructor(
    readonly seed: number,
    cause: Error,
    readonly story: readonly string[],
  ) {
    super(`seed ${seed}: ${cause.message}\n${story.slice(-40).join('\n')}`, { cause })
  }
}

/** The report of a process about its clients and itself. */
export interface ProcessActivity {
  /** Requests without a complete answer. */
  readonly inFlight: number
  /** Upgraded connections. */
  readonly upgraded: number
  /** Requests since its start. */
  readonly requests: number
  /** Names of the leases that it holds. */
  readonly leases: readonly string[]
}

/** The reports of all processes of an instance. */
export interface Activity {
  /** By process. */
  readonly processes: ReadonlyMap<string, ProcessActivity>
  /** Another need of workers, in words. */
  readonly other: string | undefined
}

/** Times in milliseconds of one steady clock. */
export interface SleepState {
  readonly asleep: boolean
  /** When something was last seen that needs a worker. */
  readonly activeAt: number
  /** The reason that keeps the workers at this moment; undefined for none. */
  readonly heldBy: string | undefined
  /** The requests of each process at the last look. */
  readonly requests: ReadonlyMap<string, number>
}

export interface SleepDecision {
  readonly state: SleepState
  /** One line that says why, when the instance falls asleep or wakes up. */
  readonly reason: string | undefined
}

export function awake(now: number): SleepState {
  return { asleep: false, activeAt: now, heldBy: undefined, requests: new Map() }
}

/**
 * Decides whether any worker is needed: none after `afterMs` without a request, an upgraded connection or another
 * reason. Pure; asked once a second.
 */
export function sleep(before: SleepState, activity: Activity, afterMs: number, now: number): SleepDecision {
  const heldBy = holderOf(activity, before.requests)
  const requests = new Map([...activity.processes].map(([name, counts]) => [name, counts.requests]))
  if (heldBy !== undefined) return woken({ ...before, heldBy, requests }, heldBy, now)
  const state = { ...before, heldBy, requests }
  if (before.asleep || now - before.activeAt < afterMs) return { state, reason: undefined }
  const reason = `pool shrinks to 0 workers: there was no request for ${Math.round(afterMs / 1_000)} s`
  return { state: { ...state, asleep: true }, reason }
}

/** Something needs a worker. */
export function woken(before: SleepState, why: string, now: number): SleepDecision {
  const reason = before.asleep ? `pool grows from 0 workers: ${why}` : undefined
  return { state: { ...before, asleep: false, activeAt: now }, reason }
}

function holderOf({ processes, other }: Activity, before: ReadonlyMap<string, number>): string | undefined {
  const all = [...processes]
  const upgraded = Math.max(0, ...all.map(([, counts]) => counts.upgraded))
  if (all.some(([, { inFlight }]) => inFlight > 0)) return 'a request is in flight'
  if (upgraded > 0) return 'a WebSocket or another upgraded connection is open'
  if (all.some(([name, { requests }]) => requests > (before.get(name) ?? 0))) return 'a request came'
  const lease = all.flatMap(([, { leases }]) => leases)[0]
  return lease === undefined ? other : `lease "${lease}" is held`
}

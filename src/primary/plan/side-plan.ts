import { failedBefore, forgiven, judgeLoss, noRestarts, notBefore } from './restart-policy.js'
import type { RestartHistory, RestartVerdict } from './restart-policy.js'
import type { Shutdown } from './desired.js'

/** Where a Procfile process belongs: the second `worker` is `{ name: 'worker', place: 1 }`. */
export interface SidePlace {
  /** The name of its line in the Procfile. */
  readonly name: string
  /** Its number among those of its name, from 0. */
  readonly place: number
}

/** The Procfile processes that are to run. */
export interface DesiredSides {
  /** Raised by each change of the release, and by each reload: processes of an older version are replaced. */
  readonly version: number
  /** How many, by name. */
  readonly wanted: ReadonlyMap<string, number>
  readonly shutdown?: Shutdown
}

/** A Procfile process as the plan sees it. Times in milliseconds of one steady clock. */
export interface ObservedSide extends SidePlace {
  readonly id: number
  readonly version: number
  /** `stopping`: it was asked to end. `exited`: it has ended, asked or not. */
  readonly state: 'running' | 'stopping' | 'exited'
  /** Whether it was asked to end. */
  readonly asked: boolean
  readonly startedAt: number
  /** From its start to now, or to its end. */
  readonly ranMs: number
  /** When it is killed; undefined before it was asked to end, and once it is killed. */
  readonly killAt: number | undefined
}

/** Times in milliseconds. */
export interface SideLimits {
  /** It says nothing of being ready. Having run so long, its end is no sign of a crash loop. */
  readonly provenMs: number
  /** How long it may take to end. */
  readonly stopTimeoutMs: number
}

export type SideAction =
  | { readonly type: 'start'; readonly at: SidePlace; readonly version: number }
  | { readonly type: 'stop'; readonly id: number; readonly deadlineMs: number }
  | { readonly type: 'kill'; readonly id: number }
  /** It ended unasked. */
  | { readonly type: 'lose'; readonly id: number; readonly verdict: RestartVerdict }
  | { readonly type: 'forget'; readonly id: number }
  /** Nothing is due before this time. */
  | { readonly type: 'wait'; readonly until: number }

/** By the name of the processes, which run the same code. */
export type SideHistory = ReadonlyMap<string, RestartHistory>

export interface SidePlan {
  readonly actions: readonly SideAction[]
  readonly history: SideHistory
}

/**
 * Decides what has to be done about the Procfile processes. Pure. A process is replaced in this order: the old
 * one ends, then the new one starts. So there are never two in one place: what a process does by the clock, or to all
 * of a queue, is done once.
 */
export function planSides(
  { version, wanted, shutdown }: DesiredSides,
  observed: readonly ObservedSide[],
  before: SideHistory,
  { provenMs, stopTimeoutMs }: SideLimits,
  now: number,
): SidePlan {
  const actions: SideAction[] = []
  const history = new Map(before)
  let due = Infinity
  const lookAgainAt = (time: number): void => {
    if (time > now) due = Math.min(due, time)
  }

  for (const side of observed) {
    if (side.state === 'exited') {
      if (!side.asked && shutdown === undefined) actions.push(lose(side))
      actions.push({ type: 'forget', id: side.id })
    } else if (side.state === 'stopping') {
      if (side.killAt === undefined) continue
      const killAt = Math.min(side.killAt, shutdown?.cutAt ?? Infinity)
      lookAgainAt(killAt)
      if (now >= killAt) actions.push({ type: 'kill', id: side.id })
    } else if (shutdown !== undefined) {
      actions.push({ type: 'stop', id: side.id, deadlineMs: Math.max(0, shutdown.cutAt - now) })
    } else if (side.version !== version || side.place >= (wanted.get(side.name) ?? 0)) {
      actions.push({ type: 'stop', id: side.id, deadlineMs: stopTimeoutMs })
    } else lookAgainAt(side.startedAt + provenMs)
  }
  for (const [name, each] of history)
    history.set(
      name,
      forgiven(each, (key, since) => isFine(name, key, since)),
    )
  if (shutdown === undefined) for (const [name, count] of wanted) fill(name, count)
  if (due < Infinity) actions.push({ type: 'wait', until: due })
  return { actions, history }

  function lose({ id, name, place, version, ranMs }: ObservedSide): SideAction {
    const loss = { place: String(place), servedMs: ranMs, generation: version }
    const judged = judgeLoss(history.get(name) ?? noRestarts, loss, now, provenMs)
    history.set(name, judged.history)
    return { type: 'lose', id, verdict: judged.verdict }
  }

  /** Whether a loss is of the past: another process has lasted in its place, or the place is gone. */
  function isFine(name: string, key: string, since: number): boolean {
    if (Number(key) >= (wanted.get(name) ?? 0)) return true
    return observed.some(side => {
      const isThere = side.name === name && String(side.place) === key && side.state === 'running'
      return isThere && side.startedAt > since && side.ranMs >= provenMs
    })
  }

  function fill(name: string, count: number): void {
    const taken = new Set(
      observed.filter(side => side.name === name && side.state !== 'exited').map(each => each.place),
    )
    for (let place = 0; place < count; place += 1) {
      if (taken.has(place)) continue
      const restarts = history.get(name) ?? noRestarts
      const from = notBefore(restarts, String(place))
      // The one that ended early ran other code, which may be mended by now.
      if (now >= from || failedBefore(restarts, String(place), version)) {
        actions.push({ type: 'start', at: { name, place }, version })
      } else lookAgainAt(from)
    }
  }
}

import { PANIC_MS, panicLoad, STABLE_MS, stableLoad, withLoad, type Load } from './load-window.js'
import { mostWorkers, type AutoscaleFacts, type AutoscaleLimits, type Bound } from './scaling-bounds.js'
import { loadOf } from './worker-load.js'

/** The past, as far as the policy needs it. Times in milliseconds of one steady clock. */
export interface AutoscaleHistory {
  readonly loads: readonly Load[]
  /** The requests in flight of each worker, a second ago. */
  readonly inFlight: ReadonlyMap<string, number>
  /** The workers had too much to do; or nothing was known yet. */
  readonly pressedAt: number | undefined
  /** The last change, if it was to one worker fewer. */
  readonly shrunk: { readonly from: number; readonly at: number } | undefined
  /** How long the workers must have had little to do before one is ended. */
  readonly patienceMs: number
  /** The last bound that allowed no more workers. */
  readonly held: { readonly by: Bound['by']; readonly at: number } | undefined
}

export interface AutoscaleDecision {
  readonly workers: number
  /** One line that says why; undefined when there is nothing new to say. */
  readonly reason: string | undefined
  /** For the next look. */
  readonly history: AutoscaleHistory
}

export const noAutoscaleHistory: AutoscaleHistory = {
  loads: [],
  inFlight: new Map(),
  pressedAt: undefined,
  shrunk: undefined,
  patienceMs: STABLE_MS,
  held: undefined,
}

/** The share of a worker that load is to take: the rest is for what one second brings more than another. */
const TARGET = 0.7
/** From this share on, in either window, more workers are started at once. */
const PRESSED = 0.8
/** A worker is ended when the others would be used up to this share. */
const LOW = 0.6
/** Workers are ended one at a time, this long after each other. */
const SHRINK_PAUSE_MS = 10_000
/** A worker that was ended and is wanted again doubles the patience, up to this. */
const MAX_PATIENCE_MS = 600_000
const WANTED_AGAIN_MS = 2 * MAX_PATIENCE_MS

/**
 * Decides how many workers are wanted, after Knative's rules: a panic window over its threshold adds workers at once,
 * and then none is ended for a whole stable window, whose mean has to be low. Pure; asked once a second.
 * @param wanted how many workers have been wanted so far
 * @param now in milliseconds of one steady clock
 */
export function autoscale(
  before: AutoscaleHistory,
  facts: AutoscaleFacts,
  limits: AutoscaleLimits,
  wanted: number,
  now: number,
): AutoscaleDecision {
  const loads = withLoad(before.loads, loadOf(facts, before.inFlight, limits.places, now))
  const inFlight = new Map(facts.workers.map(worker => [worker.name, worker.inFlight]))
  const history = { ...before, loads, inFlight, pressedAt: before.pressedAt ?? now }

  const inRange = Math.min(Math.max(wanted, limits.min), limits.max)
  if (inRange !== wanted) {
    return { workers: inRange, reason: changed(wanted, inRange, `WORKERS is ${limits.min}-${limits.max}`), history }
  }
  const pressure = pressureOf(loads, wanted)
  // Which worker would end is not chosen by what it does.
  const isLeased = facts.workers.some(({ leases = [] }) => leases.length > 0)
  if (pressure === undefined && isLeased) return { workers: wanted, reason: undefined, history }
  if (pressure === undefined) return shrink(history, limits, wanted, now)
  return grow({ ...history, pressedAt: now }, pressure, mostWorkers(facts, limits), wanted, now)
}

interface Pressure {
  readonly workers: number
  readonly why: string
}

/** More workers than are wanted so far, if the load of a window takes them. */
function pressureOf(loads: readonly Load[], wanted: number): Pressure | undefined {
  const [panic, stable] = [panicLoad(loads), stableLoad(loads)]
  if (Math.max(panic, stable) < PRESSED * wanted) return undefined
  const [load, ms] = panic >= PRESSED * wanted ? [panic, PANIC_MS] : [stable, STABLE_MS]
  const why = `${described(loads, load, ms)}, over ${percent(PRESSED)} of ${wanted}`
  return { workers: Math.ceil(load / TARGET), why }
}

function grow(
  history: AutoscaleHistory,
  pressure: Pressure,
  most: Bound,
  wanted: number,
  now: number,
): AutoscaleDecision {
  const workers = Math.max(wanted, Math.min(pressure.workers, most.workers))
  if (workers > wanted) {
    const reason = changed(
      wanted,
      workers,
      workers < pressure.workers ? `${pressure.why}, and ${most.why}` : pressure.why,
    )
    return { workers, reason, history: { ...history, ...afterGrowth(history, workers, now), held: undefined } }
  }
  const { held } = history
  const isNews = held?.by !== most.by || now - held.at >= STABLE_MS
  const reason = isNews ? `pool stays at ${counted(wanted)}: ${pressure.why}, and ${most.why}` : undefined
  return { workers: wanted, reason, history: { ...history, held: { by: most.by, at: now } } }
}

/** Load that one worker more or fewer is right for must not start and end one all the time. */
function afterGrowth(
  { shrunk, patienceMs }: AutoscaleHistory,
  workers: number,
  now: number,
): Pick<AutoscaleHistory, 'shrunk' | 'patienceMs'> {
  const isUndone = shrunk?.from === workers && now - shrunk.at < WANTED_AGAIN_MS
  return { shrunk: undefined, patienceMs: isUndone ? Math.min(2 * patienceMs, MAX_PATIENCE_MS) : STABLE_MS }
}

function shrink(history: AutoscaleHistory, { min }: AutoscaleLimits, wanted: number, now: number): AutoscaleDecision {
  const { loads, pressedAt = now, patienceMs, shrunk } = history
  const fewer = wanted - 1
  const load = Math.max(stableLoad(loads), panicLoad(loads))
  const isTime = now - pressedAt >= patienceMs && now - (shrunk?.at ?? -Infinity) >= SHRINK_PAUSE_MS
  if (fewer < min || !isTime || load > LOW * fewer) return { workers: wanted, reason: undefined, history }
  const why = `${described(loads, load, STABLE_MS)}, under ${percent(LOW)} of ${fewer}`
  return {
    workers: fewer,
    reason: changed(wanted, fewer, why),
    history: { ...history, shrunk: { from: wanted, at: now } },
  }
}

function described(loads: readonly Load[], load: number, ms: number): string {
  const by = loads.at(-1)?.by ?? 'event loops'
  return `load by ${by} in the last ${ms / 1_000} s is ${load.toFixed(1)} workers`
}

function changed(from: number, to: number, why: string): string {
  return `pool ${to > from ? 'grows' : 'shrinks'} from ${from} to ${counted(to)}: ${why}`
}

function counted(workers: number): string {
  return workers === 1 ? '1 worker' : `${workers} workers`
}

function percent(share: number): string {
  return `${Math.round(share * 100)} %`
}

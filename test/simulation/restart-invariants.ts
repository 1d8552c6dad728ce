import type { StartSpec } from '#src/primary/plan/action.js'
import { placeKey, type ChildRole } from '#src/primary/plan/observed.js'
import type { RestartVerdict } from '#src/primary/plan/restart-policy.js'
import type { FakeChild } from './fake-child.js'
import { ensure, isProven, occupantsOf, type SimulatedWorld } from './simulated-world.js'

const SPIN_WINDOW_MS = 10_000
/** A process that exits early is started this often within the window, at the most, by the back-off; with a margin. */
const MAX_STARTS = 16
/** With this many early exits within the window, a place stays empty for the time after its own. */
const LOOP_EXITS = 10
const LOOP_WINDOW_MS = 60_000
const PARKED_MS = 60_000
const MAX_BACKOFF_MS = 30_000

/** The last loss of a place, as long as no process has been started for it. */
interface Loss {
  readonly due: number
  readonly generation: number
}

interface Parked {
  readonly at: number
  readonly generation: number
}

/** The promises about starts: for wanted places only, and never in a tight loop. */
export class RestartInvariants {
  readonly #starts = new Map<string, number[]>()
  /** Reloads give places a new chance. */
  readonly #reloads: number[] = []
  readonly #earlyExits: Record<ChildRole, number[]> = { worker: [], balancer: [] }
  readonly #parked = new Map<string, Parked>()
  /** Places that the plan says are in a crash loop. */
  readonly #saidToLoop = new Set<string>()
  readonly #losses = new Map<string, Loss>()

  constructor(private readonly world: SimulatedWorld) {}

  noteReload(): void {
    this.#reloads.push(this.world.now)
  }

  /** Places whose process has proven itself since are in no crash loop. */
  noteRecovered(): void {
    for (const [key, { at }] of this.#parked) {
      const isFine = occupantsOf(this.world, key).some(each => each.startedAt > at && isProven(this.world, each))
      if (isFine || !this.world.wantedPlaces().has(key)) this.#parked.delete(key)
    }
    for (const key of this.#losses.keys()) if (!this.world.wantedPlaces().has(key)) this.#losses.delete(key)
  }

  checkLoss(child: FakeChild, verdict: RestartVerdict): void {
    const { kind, delayMs } = verdict
    const { now, limits } = this.world
    const { name, key, spec, state } = child
    ensure(state === 'exited' || state === 'crashed', `${name} is not lost`)
    this.#losses.set(key, { due: now + delayMs, generation: spec.generation })
    if (child.pardoned || child.observe(now).servedMs >= limits.provenMs) {
      ensure(kind === 'now', `${name} says nothing about the code, and its place is not filled at once`)
      this.#parked.delete(key)
      return
    }
    ensure(kind !== 'now', `${name} exited early and is replaced at once`)
    const exits = [...this.#earlyExits[spec.role].filter(at => at > now - LOOP_WINDOW_MS), now]
    this.#earlyExits[spec.role] = exits
    if (kind === 'park') {
      const isLoop = exits.length >= LOOP_EXITS || this.#saidToLoop.has(key)
      ensure(isLoop, `${key} is said to be in a crash loop after ${exits.length} early exits`)
      this.#saidToLoop.add(key)
    } else ensure(delayMs <= MAX_BACKOFF_MS, `${key} stays empty for ${delayMs} ms after an early exit`)
    const places = [...this.world.wantedPlaces()].filter(place => place.startsWith(spec.role)).length
    // One early exit in each of many places is no loop.
    if (exits.length >= Math.max(LOOP_EXITS, 2 * places))
      this.#parked.set(key, { at: now, generation: spec.generation })
  }

  checkStart(spec: StartSpec): void {
    const { now } = this.world
    const key = placeKey(spec)
    ensure(this.world.wantedPlaces().has(key), `a process is started for ${key}, which is not wanted`)
    ensure(occupantsOf(this.world, key).length < 2, `more than two processes for ${key}`)
    this.#losses.delete(key)
    const recent = (this.#starts.get(key) ?? []).filter(at => at > now - SPIN_WINDOW_MS)
    recent.push(now)
    this.#starts.set(key, recent)
    const reloads = this.#reloads.filter(at => at > now - SPIN_WINDOW_MS).length
    ensure(recent.length <= MAX_STARTS + 3 * reloads, `${key} spins: ${recent.length} starts in 10 s`)
    const parked = this.#parked.get(key)
    const isDue = parked === undefined || now >= parked.at + PARKED_MS || spec.generation > parked.generation
    ensure(isDue, `${key} is in a crash loop and is filled`)
  }
  /**
   * An empty place is filled as soon as its back-off is over, and by newer code before that.
   * @param wakeUp the time of the next pass that the plan asked for
   * @param generation that all workers are to have
   */
  checkAtRest(wakeUp: number, generation: number): void {
    const { now, desired } = this.world
    if (desired.shutdown !== undefined) return
    for (const key of this.world.wantedPlaces()) {
      if (occupantsOf(this.world, key).length > 0) continue
      const { due } = this.#losses.get(key) ?? { due: now }
      ensure(now < due, `${key} is empty, and no process is started for it`)
      ensure(wakeUp <= due, `${key} is empty, and no pass is asked for at the end of its back-off`)
    }
    this.#checkNewCode(generation)
  }

  /** The first place of the workers is the first one in turn. */
  #checkNewCode(generation: number): void {
    const places = [...this.world.wantedPlaces()].filter(key => key.startsWith('worker'))
    const [first = ''] = places
    const loss = this.#losses.get(first)
    if (loss === undefined || loss.generation >= generation || occupantsOf(this.world, first).length > 0) return
    const isTaken = places.some(key => occupantsOf(this.world, key).length > 1)
    const drains = this.world.children().some(({ spec, drainingSince, state }) => {
      return spec.role === 'worker' && drainingSince !== undefined && state !== 'exited'
    })
    ensure(isTaken || drains, `${first} stays empty for code that is replaced`)
  }
}

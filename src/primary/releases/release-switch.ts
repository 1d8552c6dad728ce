import {
  advance,
  beginDeployment,
  dueAt,
  isBlamed,
  releasesOf,
  resumed,
  shareOf,
  withdrawn,
  type Deployment,
  type DeploymentPhase,
  type Losses,
  type Stage,
} from '../plan/deployment.js'
import type { ReleaseFigures } from '#balancer/contract/latency-buckets.js'
import { judge, type SideFigures } from '../plan/bake-verdict.js'
import type { PlanLimits, Release } from '../plan/desired.js'
import type { ObservedChild } from '../plan/observed.js'
import { provenOf } from '../plan/proven.js'
import { BakeFigures } from './bake-figures.js'
import { lossOf, type Fault, type LostWorker } from './fault.js'
import { Preview, type Previewing } from './preview.js'

/** The release before the first deploy: the code that the program was started with. */
export const STARTED = 'start'

/** The figures of both releases while clients got either. */
export interface Comparison {
  readonly before: SideFigures
  readonly fresh: SideFigures
  /** A remark about it for people. */
  readonly remark?: string | undefined
}

/** Receives the steps of one change. */
interface SwitchWatcher {
  /** A stage of the bake has begun. */
  baking(share: number, ms: number): void
  /** All workers of the new release are being started. */
  filling(): void
  /**
   * From now on all clients are to get the new release. What is recorded here counts after a crash.
   * @throws {Error} it could not be recorded, so the new release is taken back
   */
  live(comparison: Comparison | undefined): void
  /**
   * The new release has failed, and the old one serves as before.
   * @param comparison asked a little later, it has the last figures as well
   */
  takenBack(fault: Fault, comparison: () => Comparison | undefined): void
}

/** The parts of a change. */
export interface Switching {
  to: string
  stages: readonly Stage[]
  keepWarmMs: number
  watcher: SwitchWatcher
}

interface Change {
  deployment: Deployment
  readonly watcher: SwitchWatcher
  fault: Fault | undefined
  losses: Losses
}

type Limits = Pick<PlanLimits, 'provenMs' | 'startTimeoutMs'>

/** The time until balancers have found a worker healthy that is ready. */
const HEALTHY_MS = 5_000

/** Holds which releases run, with how many workers each, and for which share of the clients. */
export class ReleaseSwitch {
  #change: Change | undefined
  #preview: Preview | undefined
  #mixedAt: number | undefined
  /** Releases whose workers have not gone yet. */
  #withdrawn: readonly string[] = []
  #due = Infinity
  /** The figures of the last bake. */
  #figures: BakeFigures | undefined

  /** @param live the release that all clients get */
  constructor(
    private live: string,
    private readonly limits: Limits,
    /** In milliseconds since 1970. */
    private readonly wallClock: () => number = Date.now,
  ) {}

  /** The release of all clients that get no other. */
  get current(): string {
    const deployment = this.#change?.deployment
    return deployment?.phase === 'live' ? deployment.to : this.live
  }

  /** The change under way, until all clients get one release. */
  get underWay(): { release: string; phase: DeploymentPhase; share: number } | undefined {
    const deployment = this.#change?.deployment
    if (deployment === undefined || deployment.phase === 'live') return undefined
    return { release: deployment.to, phase: deployment.phase, share: shareOf(deployment) }
  }

  /** The release that is ready for a way back. */
  get warm(): string | undefined {
    const deployment = this.#change?.deployment
    return deployment?.phase === 'live' ? deployment.from : undefined
  }

  /** The release of clients that ask for it. */
  get preview(): Pick<Preview, 'release' | 'isReady'> | undefined {
    return this.#preview
  }

  /** When clients last began to get another release, in milliseconds since 1970; undefined if they have not. */
  get mixedAt(): number | undefined {
    return this.#mixedAt
  }

  /** Whether no client gets a release, though workers run it. */
  isAside(release: string): boolean {
    return release === this.warm || release === this.#preview?.release
  }

  /** When a pass is due, if nothing happens before, in the clock of the passes. */
  get due(): number {
    return this.#due
  }

  /** Begins a change. None may be under way. */
  begin({ to, stages, keepWarmMs, watcher }: Switching, now: number): void {
    const { current: from, warm } = this
    this.live = from
    this.#leavePreview(to)
    if (warm !== undefined && warm !== to) this.#withdraw(warm)
    this.#withdrawn = this.#withdrawn.filter(id => id !== to)
    const change = { from, to, stages, keepWarmMs, startMs: this.#startMs }
    this.#change = {
      deployment: beginDeployment(change, now),
      watcher,
      fault: undefined,
      losses: { from: 0, to: 0 },
    }
    this.#figures = undefined
    if (stages.length === 0) watcher.filling()
  }

  /** The release whose change is under way is taken back. None of it goes on, whatever it is at. */
  endChange(fault: Fault): void {
    if (this.underWay !== undefined && this.#change !== undefined) this.#change.fault ??= fault
  }

  /** Begins a preview, in place of another one. No change may be under way. */
  beginPreview(previewing: Previewing, now: number): void {
    this.endPreview()
    this.#preview = new Preview(previewing, now + this.#startMs)
    this.#withdrawn = this.#withdrawn.filter(id => id !== previewing.release)
  }

  endPreview(): void {
    this.#leavePreview(undefined)
  }

  /** A worker has ended unasked. */
  lost(worker: LostWorker): void {
    this.#preview?.lost(worker)
    const change = this.#change
    if (change === undefined) return
    const { losses, deployment } = change
    if (worker.release === deployment.from) change.losses = { ...losses, from: losses.from + 1 }
    if (worker.release !== deployment.to) return
    change.losses = { ...change.losses, to: losses.to + 1 }
    if (isBlamed(change.losses, worker.early)) change.fault ??= { ...worker, reason: lossOf(worker) }
  }

  /** The answers that clients got, as a balancing process reports them. */
  addFigures(figures: readonly ReleaseFigures[], now: number): void {
    this.#figures?.add(figures, now)
  }

  /**
   * The releases that are wanted, after all that has been seen.
   * @param workers that are wanted of the live one
   * @param awakeSince since when this process has run without a break
   */
  releases(children: readonly ObservedChild[], workers: number, now: number, awakeSince: number): Release[] {
    this.#due = Infinity
    if (this.#change !== undefined) {
      this.#change.deployment = resumed(this.#change.deployment, awakeSince)
      this.#advance(this.#change, children, workers, now)
    }
    this.#preview?.postpone(awakeSince + this.#startMs)
    if (this.#preview !== undefined) this.#observePreview(this.#preview, children, now)
    const staying = new Set(children.filter(({ state }) => state !== 'exited').map(({ release }) => release))
    this.#withdrawn = this.#withdrawn.filter(id => staying.has(id))
    const clients =
      this.#change === undefined ? [{ id: this.live, workers }] : releasesOf(this.#change.deployment, workers)
    const wanted = [...clients, ...(this.#preview === undefined ? [] : [this.#preview.wanted])]
    const leaving = this.#withdrawn.filter(id => !wanted.some(release => release.id === id))
    return [...wanted, ...leaving.map(withdrawn)]
  }

  #advance(change: Change, children: readonly ObservedChild[], workers: number, now: number): void {
    this.#figures?.observe(children, now)
    for (;;) {
      this.#judge(change, now)
      const { deployment, watcher } = change
      const { places: proven, due } = provenOf(deployment.to, children, this.limits.provenMs, now)
      this.#due = Math.min(this.#due, due)
      const next = advance(deployment, { proven, workers, fault: change.fault?.reason }, now)
      this.#due = Math.min(this.#due, dueAt(next))
      if (next === deployment) return
      if (next.phase === 'live') {
        try {
          watcher.live(this.#comparison())
        } catch (error) {
          change.fault = { reason: `it could not be recorded: ${(error as Error).message}` }
          continue
        }
      }
      change.deployment = next
      this.#entered(change, now)
      if (this.#change !== change) return
    }
  }

  /** Beside the time of a start, the time until balancers have found the worker healthy. */
  get #startMs(): number {
    return this.limits.startTimeoutMs + this.limits.provenMs + HEALTHY_MS
  }

  #observePreview(preview: Preview, children: readonly ObservedChild[], now: number): void {
    const { places, due } = provenOf(preview.release, children, this.limits.provenMs, now)
    if (preview.observe(places.size > 0, now)) this.#due = Math.min(this.#due, due, preview.due)
    else this.endPreview()
  }

  /** @param to the release that is to run instead; if it is the same, its worker stays */
  #leavePreview(to: string | undefined): void {
    const preview = this.#preview
    if (preview === undefined) return
    this.#preview = undefined
    if (preview.release !== to) this.#withdraw(preview.release)
    preview.end('another release was wanted')
  }

  #judge(change: Change, now: number): void {
    if (this.#figures === undefined || change.deployment.phase !== 'baking') return
    const { facts, without } = this.#figures
    const verdict = judge(facts, { without, mayWait: now < dueAt(change.deployment) })
    if (verdict.kind === 'worse') change.fault ??= { reason: verdict.reason }
  }

  #entered(change: Change, now: number): void {
    const { deployment, watcher, fault } = change
    const { phase, from, to, stages, stage, reason = '' } = deployment
    if (phase === 'baking' || phase === 'live' || phase === 'taken-back') this.#mixedAt = this.wallClock()
    if (phase === 'baking') {
      const ms = stages[stage]?.ms ?? 0
      this.#figures ??= new BakeFigures(from, to)
      this.#figures.beginStage(ms, now)
      watcher.baking(shareOf(deployment), ms)
    }
    if (phase === 'filling') watcher.filling()
    if (phase === 'over') this.#end(to)
    if (phase === 'taken-back') {
      this.#withdraw(to)
      this.#end(from)
      watcher.takenBack(fault ?? { reason }, () => this.#comparison())
    }
  }

  #comparison(): Comparison | undefined {
    if (this.#figures === undefined) return undefined
    const { facts, without } = this.#figures
    const verdict = judge(facts, { without, mayWait: false })
    return {
      before: facts.before,
      fresh: facts.fresh,
      ...((verdict.kind === 'too-little' || verdict.kind === 'one-client') && { remark: verdict.reason }),
    }
  }

  #withdraw(release: string): void {
    this.#withdrawn = [...this.#withdrawn.filter(id => id !== release), release]
  }

  #end(live: string): void {
    this.live = live
    this.#change = undefined
  }
}

import type { Action } from '#src/primary/plan/action.js'
import { ensure, isProven, occupantsOf, type SimulatedWorld } from './simulated-world.js'

/** The promises about releases: clients get what is proven, and nobody gets what is not theirs. */
export class ReleaseInvariants {
  #base: string | undefined

  constructor(private readonly world: SimulatedWorld) {}

  /** Before the actions of a plan are carried out. */
  checkPlan(actions: readonly Action[]): void {
    const { releases, shutdown } = this.world.desired
    if (shutdown !== undefined) return
    const bases = releases.filter(({ share }) => share === undefined)
    const [base] = bases
    ensure(bases.length === 1 && base !== undefined, `${bases.length} releases are for the rest of the clients`)
    ensure(base.workers > 0 || this.world.workers === 0, `${base.id} is for the rest of the clients and has no workers`)
    if (this.#base !== undefined && base.id !== this.#base) this.#checkSwap(base.id, base.workers)
    this.#base = base.id
    const shares = new Map(releases.map(({ id, share }) => [id, share]))
    for (const action of actions) {
      if (action.type !== 'route') continue
      for (const { child, share } of action.routes) {
        const wanted = shares.get(this.world.child(child)?.spec.release ?? '')
        ensure(share === wanted, `${child} gets ${share ?? 'the rest'} of the clients, not ${wanted ?? 'the rest'}`)
      }
    }
  }

  /** Workers of a release that is withdrawn have been told to go. */
  checkAtRest(): void {
    const { releases, shutdown } = this.world.desired
    if (shutdown !== undefined) return
    const withdrawn = new Set(releases.filter(({ workers }) => workers === 0).map(({ id }) => id))
    const kept = this.world.children().find(({ spec, isServing }) => isServing && withdrawn.has(spec.release))
    ensure(kept === undefined, `${kept?.name} runs a release that is withdrawn`)
  }

  #checkSwap(release: string, workers: number): void {
    for (let place = 0; place < workers; place++) {
      const proven = occupantsOf(this.world, `worker ${release}/${place}`).some(child => isProven(this.world, child))
      ensure(proven, `all clients get ${release}, whose place ${place} is not proven`)
    }
  }
}

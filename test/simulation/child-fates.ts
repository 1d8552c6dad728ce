import type { Chance } from '#scripts/lib/chance.js'
import type { FakeChild } from './fake-child.js'

export interface Surroundings {
  chance: Chance
  now: () => number
  /** Makes something happen at a time drawn between the two, from now. */
  later: (fromMs: number, toMs: number, happen: () => void) => void
  tell: (what: string) => void
}

/** The fates of children: they start slowly or never, exit, crash, hang, grow and disobey, until all is calm. */
export class ChildFates {
  #calm = false
  /** A service that every process needs is away, so every process that starts exits at once. */
  #hasNoDatabase = false

  constructor(private readonly world: Surroundings) {}

  /** No more faults. Processes that no balancer finds healthy are healthy soon. What hangs or is too large stays so. */
  calmDown(children: readonly FakeChild[]): void {
    this.#calm = true
    for (const child of children) {
      if (child.hung || child.state !== 'ready') continue
      this.world.later(5, 300, () => (child.reachable = true))
    }
  }

  switchDatabase(): void {
    this.#hasNoDatabase = !this.#hasNoDatabase
    this.world.tell(this.#hasNoDatabase ? 'the database goes away' : 'the database is back')
  }

  started(child: FakeChild): void {
    const { chance, later } = this.world
    const fate = this.#calm ? 1 : chance.next()
    if (!this.#calm && this.#hasNoDatabase) later(10, 50, () => this.exit(child, 'no database'))
    else if (fate < 0.1) later(10, 2_000, () => this.exit(child, 'a failed start'))
    else if (fate < 0.13) child.hung = true
    else later(10, fate < 0.2 ? 29_000 : 1_500, () => this.#becomeReady(child))
  }

  drained(child: FakeChild): void {
    const { chance, later, now } = this.world
    child.drain(now())
    if (this.#calm || chance.happens(0.8)) later(1, 8_000, () => (child.drained = true))
  }

  stopped(child: FakeChild, deadlineMs: number, graceMs: number): void {
    const { later, now } = this.world
    child.stop(now() + deadlineMs + graceMs)
    if (!child.hung && child.obedient) later(1, Math.max(1, deadlineMs), () => this.exit(child, 'asked to'))
  }

  killed(child: FakeChild): void {
    child.kill()
    this.world.later(1, 5, () => this.exit(child, 'killed'))
  }

  exit(child: FakeChild, why: string): void {
    if (child.state === 'exited') return
    this.world.tell(`${child.name} exits: ${why}`)
    child.exit(this.world.now())
  }

  #becomeReady(child: FakeChild): void {
    if (child.state !== 'starting') return
    const { chance, later, now, tell } = this.world
    tell(`${child.name} is ready`)
    child.ready(now())
    child.heardAt = now()
    if (!this.#calm && chance.happens(0.03)) return
    later(5, 300, () => (child.reachable = true))
    if (this.#calm) return
    const fate = chance.next()
    if (fate < 0.12) later(1, 900, () => this.exit(child, 'an early exit'))
    else if (fate < 0.15) later(1, 900, () => this.#endByRequest(child))
    else if (fate < 0.4) later(1_000, 30_000, () => this.exit(child, 'an exit'))
    else if (fate < 0.5) later(100, 30_000, () => this.#hang(child))
    else if (fate < 0.6 && child.spec.role === 'worker') later(10, 30_000, () => this.#crash(child))
    else if (fate < 0.75) later(100, 30_000, () => (child.rssBytes = 300))
    else if (fate < 0.8) later(10, 30_000, () => this.#terminate(child))
    if (chance.happens(0.1)) child.obedient = false
  }

  #endByRequest(child: FakeChild): void {
    child.pardoned = true
    this.exit(child, 'ended by a request')
  }

  #crash(child: FakeChild): void {
    if (child.state === 'exited') return
    this.world.tell(`${child.name} crashes`)
    child.crash(this.world.now())
    this.world.later(10, 12_000, () => this.exit(child, 'it had crashed'))
  }

  #hang(child: FakeChild): void {
    if (!child.isServing) return
    this.world.tell(`${child.name} hangs`)
    child.hung = true
    this.world.later(500, 9_000, () => (child.reachable = false))
  }

  #terminate(child: FakeChild): void {
    if (child.leaving) return
    this.world.tell(`${child.name} is sent SIGTERM`)
    child.replaceReason ??= 'SIGTERM'
  }
}

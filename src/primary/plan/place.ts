import type { Desired } from './desired.js'
import { placeKey, type ChildRole, type ObservedChild } from './observed.js'

/** The program's own code, which balancers run. */
const OWN_RELEASE = 'outpost'

/** A place that one serving process is always to fill. */
export class Place {
  constructor(
    readonly role: ChildRole,
    readonly release: string,
    readonly index: number,
    /** The process that fills the place: the oldest that has not given it up. */
    readonly holder: ObservedChild | undefined,
    /** Started to succeed the holder, which serves until this one is proven. */
    readonly successor: ObservedChild | undefined,
  ) {}

  get key(): string {
    return placeKey({ role: this.role, release: this.release, place: this.index })
  }

  /** Whether this process was started for the place. */
  isOf({ place, role, release }: ObservedChild): boolean {
    return place === this.index && role === this.role && release === this.release
  }
}

/** The wanted places in order: balancers first, then the workers of each release. */
export function placesOf(desired: Desired, children: readonly ObservedChild[]): Place[] {
  const staying = children.filter(({ leaving, state }) => !leaving && state !== 'exited')
  const place = (role: ChildRole, release: string, index: number): Place => {
    let holder: ObservedChild | undefined
    let successor: ObservedChild | undefined
    for (const child of staying) {
      if (child.place !== index || child.role !== role || child.release !== release) continue
      if (holder === undefined) holder = child
      else if (child.startedAt < holder.startedAt) [holder, successor] = [child, holder]
      else if (successor === undefined || child.startedAt < successor.startedAt) successor = child
    }
    return new Place(role, release, index, holder, successor)
  }
  const balancers = Array.from({ length: desired.balancers }, (_, index) => place('balancer', OWN_RELEASE, index))
  const workers = desired.releases.flatMap(({ id, workers }) =>
    Array.from({ length: workers }, (_, index) => place('worker', id, index)),
  )
  return [...balancers, ...workers]
}

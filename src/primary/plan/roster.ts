import type { Child, ChildRole } from '../processes/child.js'
import { Slot } from './slot.js'

/** Every process there is: those that fill a place, and those on their way out. */
export class Roster {
  readonly slots: readonly Slot[]
  /** Replaced or crashed, and not gone yet. */
  readonly leaving = new Set<Child>()

  constructor(counts: Record<ChildRole, number>) {
    this.slots = [...places('balancer', counts.balancer), ...places('worker', counts.worker)]
  }

  /** In the order of their places. */
  children(): Child[] {
    return [...this.slots.flatMap(slot => slot.children), ...this.leaving]
  }

  workers(): Child[] {
    return this.children().filter(child => child.role === 'worker')
  }

  slotsFor(role: ChildRole): Slot[] {
    return this.slots.filter(slot => slot.role === role)
  }

  slotOf(child: Child): Slot | undefined {
    return this.slots.find(slot => slot.children.includes(child))
  }

  /** A worker is being replaced, or its predecessor still drains. */
  get replacing(): boolean {
    return this.slots.some(slot => slot.replaceWanted) || [...this.leaving].some(({ role }) => role === 'worker')
  }
}

function places(role: ChildRole, count: number): Slot[] {
  return Array.from({ length: count }, () => new Slot(role))
}

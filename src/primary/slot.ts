import type { Child, ChildRole } from './child.js'

/** A place that is to be filled by one serving process, always. */
export class Slot {
  /** The process that fills it: starting or ready. */
  current: Child | undefined
  /** Started to take the place of `current`, which serves on until this one does. */
  replacement: Child | undefined
  /** `current` is to be replaced. */
  replaceWanted = false
  /** Not filled again before this time of `performance.now()`. */
  notBefore = 0
  /** In a crash loop: said once, tried now and then. */
  parked = false

  constructor(
    readonly role: ChildRole,
    readonly index: number,
  ) {}

  get children(): Child[] {
    return [this.current, this.replacement].filter(child => child !== undefined)
  }

  /** Lets go of a process that has ended. */
  forget(child: Child): void {
    if (this.current === child) this.current = undefined
    if (this.replacement === child) this.replacement = undefined
  }

  /** The replacement serves: it takes the place. Returns the one that has to go. */
  promote(): Child | undefined {
    const old = this.current
    this.current = this.replacement
    this.replacement = undefined
    this.replaceWanted = false
    return old
  }
}

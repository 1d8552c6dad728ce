import type { Child, ChildRole } from '../processes/child.js'

/** A place that is to be filled by one serving process, always. */
export class Slot {
  /** The process that fills it: starting or ready. */
  current: Child | undefined
  /** Started to take the place of `current`, which serves on until this one does. */
  replacement: Child | undefined
  /** `current` is to be replaced. */
  replaceWanted = false
  /** `replacement` is to be replaced, too, as soon as it has taken the place. */
  #replaceAgain = false
  /** Not filled again before this time of `performance.now()`. */
  notBefore = 0
  /** In a crash loop: said once, tried now and then. */
  parked = false

  constructor(readonly role: ChildRole) {}

  get children(): Child[] {
    return [this.current, this.replacement].filter(child => child !== undefined)
  }

  /** Lets go of a process that has ended. Whoever was to take its place has it now. */
  forget(child: Child): void {
    if (this.current === child) this.promote()
    else if (this.replacement === child) this.#dropReplacement()
  }

  /** Leaves `current` where it is. Returns the one that was started to take its place. */
  keep(): Child | undefined {
    const { replacement } = this
    this.replaceWanted = false
    this.#dropReplacement()
    return replacement
  }

  #dropReplacement(): void {
    this.replacement = undefined
    this.#replaceAgain = false
  }

  /** One of its processes has to go. Returns false when that was known. */
  retire(child: Child): boolean {
    const known = child === this.replacement ? this.#replaceAgain : this.replaceWanted
    if (child === this.replacement) this.#replaceAgain = true
    else this.replaceWanted = true
    return !known
  }

  /** The replacement serves: it takes the place. Returns the one that has to go. */
  promote(): Child | undefined {
    const old = this.current
    this.current = this.replacement
    this.replacement = undefined
    // Without one to take it the place is empty, and whatever fills it is new.
    this.replaceWanted = this.#replaceAgain
    this.#replaceAgain = false
    return old
  }
}

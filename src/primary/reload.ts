import type { Child } from './child.js'
import type { Slot } from './slot.js'

/** A new worker did not come up; the old ones serve on. */
export class ReloadError extends Error {
  constructor(
    child: Child,
    readonly replaced: number,
  ) {
    super(`the new ${child.name} did not become ready (${child.ending}); the old workers serve on`)
    this.name = 'ReloadError'
    this.lastLines = [...child.lastLines]
  }

  /** What the failed worker printed last. */
  readonly lastLines: readonly string[]
}

/** How long the next place waits for the worker that was replaced in this one: a long download must not hold it up. */
const DRAIN_PATIENCE_MS = 10_000

interface Settle {
  resolve(replaced: number): void
  reject(error: ReloadError): void
}

/** Replaces the workers of all places, one place at a time. The supervisor does the replacing; this is the order. */
export class Reload {
  readonly finished: Promise<number>
  #settle: Settle | undefined
  #current: Slot | undefined
  #replaced = 0
  /** The one that was replaced last, and when. */
  #leaving: { child: Child; since: number } | undefined

  constructor(private readonly waiting: Slot[]) {
    this.finished = new Promise((resolve, reject) => (this.#settle = { resolve, reject }))
    this.finished.catch(() => undefined)
  }

  get over(): boolean {
    return this.#settle === undefined
  }

  /** Looks how far it is, and asks for the next replacement when it is time. */
  advance(now: number): void {
    if (this.over || this.#current?.replaceWanted === true) return
    if (this.#leaving !== undefined && this.#leaving.child.state !== 'exited') {
      if (now - this.#leaving.since < DRAIN_PATIENCE_MS) return
    }
    this.#current = this.waiting.shift()
    if (this.#current !== undefined) this.#current.replaceWanted = true
    else this.#end(settle => settle.resolve(this.#replaced))
  }

  replaced(slot: Slot, old: Child, now: number): void {
    if (slot !== this.#current) return
    this.#replaced += 1
    this.#leaving = { child: old, since: now }
  }

  /** The replacement in this place has died: nothing more is replaced. Returns false when it was not of this reload. */
  failed(slot: Slot, child: Child): boolean {
    if (this.over || slot !== this.#current) return false
    slot.replaceWanted = false
    this.#end(settle => settle.reject(new ReloadError(child, this.#replaced)))
    return true
  }

  #end(how: (settle: Settle) => void): void {
    const settle = this.#settle
    this.#settle = undefined
    if (settle !== undefined) how(settle)
  }
}

/** The reload under way, and the one that follows it, however often that was asked for. */
export class Reloads {
  #current: Reload | undefined
  #next: Reload | undefined

  /** @returns how many were replaced, or a rejection with a `ReloadError` */
  ask(slots: Slot[]): Promise<number> {
    const reload = new Reload(slots)
    if (this.#current?.over !== false) this.#current = reload
    else this.#next ??= reload
    return (this.#next ?? this.#current).finished
  }

  get current(): Reload | undefined {
    return this.#current
  }

  advance(now: number): void {
    this.#current?.advance(now)
    if (this.#current?.over !== true || this.#next === undefined) return
    this.#current = this.#next
    this.#next = undefined
    this.#current.advance(now)
  }
}

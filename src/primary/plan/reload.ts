import type { Child } from '../processes/child.js'
import type { Slot } from './slot.js'

/** A new worker did not come up, or did not last; the workers that were not replaced yet serve on. */
export class ReloadError extends Error {
  constructor(
    child: Child,
    readonly replaced: number,
  ) {
    const fault = child.servedMs === 0 ? 'did not become ready' : 'did not last'
    super(`the new ${child.name} ${fault} (${child.ending}); ${replaced === 0 ? 'the old workers serve on' : STOPPED}`)
    this.name = 'ReloadError'
    this.lastLines = [...child.lastLines]
  }

  /** What the failed worker printed last. */
  readonly lastLines: readonly string[]
}

const STOPPED = 'no more workers are replaced'

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
  /** Places whose worker is new. */
  readonly #renewed = new Set<Slot>()
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
    if (this.over || !this.#placeDone(now)) return
    const place = (this.#current = this.waiting.shift())
    if (place === undefined) this.#end(settle => settle.resolve(this.#renewed.size))
    else this.#renew(place)
  }

  #placeDone(now: number): boolean {
    if (this.#current === undefined) return true
    if (this.#current.replaceWanted || this.#current.current?.state !== 'ready') return false
    return this.#leaving?.child.state === 'exited' || now - (this.#leaving?.since ?? -Infinity) >= DRAIN_PATIENCE_MS
  }

  /** The code may have been mended: a place that waits for its next try has it now. */
  #renew(place: Slot): void {
    place.notBefore = 0
    place.parked = false
    if (place.current === undefined) this.#renewed.add(place)
    else place.replaceWanted = true
  }

  /** The place has a new worker, or has lost the old one: whatever fills it then is new. */
  replaced(place: Slot, old: Child, now: number): void {
    if (place !== this.#current) return
    this.#renewed.add(place)
    this.#leaving = { child: old, since: now }
  }

  /** A worker in this place has died: if it was a new one, nothing more is replaced. Returns false when it was not. */
  failed(place: Slot, child: Child): boolean {
    if (this.over || (place !== this.#current && !this.#renewed.has(place))) return false
    this.#renewed.delete(place)
    this.#end(settle => settle.reject(new ReloadError(child, this.#renewed.size)))
    this.#current?.keep()?.kill('the reload was over')
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

/** The bounds of all copies together. */
export interface ShelfLimits {
  readonly maxBytes: number
  readonly maxCount: number
}

/** Copies of one group are of the same path, under different hosts. */
export interface Shelved {
  readonly group: string
  /** In bytes. */
  readonly size: number
}

/** A client chooses the host it names, so one path could fill the shelf. */
const MAX_OF_GROUP = 4

/**
 * Copies within bounds. Those of a path that is there under several hosts give way first, the one that passed least
 * often of them; then the least recently passed.
 */
export class CopyShelf<Item extends Shelved> {
  /** The least recently passed first. */
  readonly #items = new Map<string, Item>()
  /** How often each of a group has passed, in the same order. */
  readonly #groups = new Map<string, Map<string, number>>()
  /** The groups of more than one. */
  readonly #crowded = new Set<string>()
  #bytes = 0

  constructor(private readonly limits: ShelfLimits) {}

  get size(): number {
    return this.#items.size
  }

  get(name: string): Item | undefined {
    return this.#items.get(name)
  }

  /** It has passed once more. */
  pass(name: string): void {
    const item = this.#items.get(name)
    if (item === undefined) return
    const passes = this.#groups.get(item.group)?.get(name) ?? 0
    this.#take(name)
    this.#put(name, item, passes + 1)
  }

  /** Replaces a copy of the same name. @returns the names of the copies removed for it; its own if it does not fit */
  add(name: string, item: Item): string[] {
    this.#take(name)
    this.#put(name, item, 1)
    const gone: string[] = []
    const group = this.#groups.get(item.group)
    if (group !== undefined && group.size > MAX_OF_GROUP) this.#takeOneOf(group, gone, name)
    while (this.#bytes > this.limits.maxBytes || this.#items.size > this.limits.maxCount) {
      const [crowded = ''] = this.#crowded
      this.#takeOneOf(this.#groups.get(crowded) ?? this.#items, gone)
    }
    return gone
  }

  #takeOneOf(names: ReadonlyMap<string, unknown>, gone: string[], except?: string): void {
    const name = rarest(names, except)
    this.#take(name)
    gone.push(name)
  }

  #put(name: string, item: Item, passes: number): void {
    this.#items.set(name, item)
    this.#bytes += item.size
    const group = this.#groups.get(item.group) ?? new Map<string, number>()
    this.#groups.set(item.group, group.set(name, passes))
    if (group.size > 1) this.#crowded.add(item.group)
  }

  #take(name: string): void {
    const item = this.#items.get(name)
    if (item === undefined) return
    this.#items.delete(name)
    this.#bytes -= item.size
    const group = this.#groups.get(item.group)
    group?.delete(name)
    if (group?.size === 1) this.#crowded.delete(item.group)
    if (group?.size === 0) this.#groups.delete(item.group)
  }
}

/** The first of those with the lowest number; the first at all where there are none. */
function rarest(names: ReadonlyMap<string, unknown>, except: string | undefined): string {
  let [found, least] = ['', Infinity]
  for (const [name, passes] of names) {
    if (typeof passes !== 'number') return name
    if (name !== except && passes < least) [found, least] = [name, passes]
  }
  return found
}

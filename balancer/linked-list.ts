/**
 * What comes and goes with each request, in the order it came. Not a `Map` or `Set`: when one of those has been
 * filled up by additions, V8 chains its old table to a new one. Once a table has come into the old space it keeps all
 * that follow, and whoever stood in them, from the collections of the young space: measured, up to a third of all
 * that is allocated. An entry that was taken out here holds on to nothing.
 */
export class LinkedList<T> {
  #size = 0
  readonly #ends: Link<T> = new Link<T>(undefined, undefined)

  get size(): number {
    return this.#size
  }

  get first(): T | undefined {
    return this.#ends.next.item
  }

  /** Adds it at the end. Whoever adds keeps the entry: it is by this that it is taken out. */
  add(item: T): Entry {
    const { previous } = this.#ends
    const link = new Link<T>(item, this)
    link.previous = previous
    link.next = this.#ends
    previous.next = link
    this.#ends.previous = link
    this.#size += 1
    return link
  }

  /** Returns false when it is not here, or not any more. */
  remove(entry: Entry | undefined): boolean {
    if (entry === undefined || entry.list !== this) return false
    const link = entry as Link<T>
    link.previous.next = link.next
    link.next.previous = link.previous
    link.leave()
    this.#size -= 1
    return true
  }

  /** Takes out the one that came first. */
  shift(): T | undefined {
    const { first } = this
    this.remove(this.#ends.next)
    return first
  }

  clear(): void {
    while (this.remove(this.#ends.next));
  }

  /** As they are now: what comes or goes while somebody looks at them does not matter. */
  items(): T[] {
    const items: T[] = []
    for (let link = this.#ends.next; link !== this.#ends; link = link.next) items.push(link.item as T)
    return items
  }
}

/** A place in a list. */
export interface Entry {
  readonly list: unknown
}

class Link<T> implements Entry {
  previous: Link<T> = this
  next: Link<T> = this

  constructor(
    public item: T | undefined,
    public list: LinkedList<T> | undefined,
  ) {}

  leave(): void {
    this.previous = this
    this.next = this
    this.item = undefined
    this.list = undefined
  }
}

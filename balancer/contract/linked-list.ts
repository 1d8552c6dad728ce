/**
 * Holds what comes and goes with each request, in the order of arrival. A `Map` or `Set` would not do: when additions
 * have filled one up, V8 chains its old table to a new one. Once a table is in the old space, it keeps its successors
 * and their contents from the collections of the young space; measured, this was up to a third of all that is
 * allocated. An entry that was removed from this list keeps nothing alive.
 */
export class LinkedList<T> {
  #size = 0
  readonly #ends: ListLink<T> = new ListLink<T>(undefined, undefined)

  get size(): number {
    return this.#size
  }

  get first(): T | undefined {
    return this.#ends.next.item
  }

  get last(): T | undefined {
    return this.#ends.previous.item
  }

  /** Adds an item at the end. Returns the entry, by which the item can be removed. */
  add(item: T): Entry {
    const { previous } = this.#ends
    const link = new ListLink<T>(item, this)
    link.previous = previous
    link.next = this.#ends
    previous.next = link
    this.#ends.previous = link
    this.#size += 1
    return link
  }

  /** Returns false if the entry is not, or no longer, in this list. */
  remove(entry: Entry | undefined): boolean {
    if (entry === undefined || entry.list !== this) return false
    const link = entry as ListLink<T>
    link.previous.next = link.next
    link.next.previous = link.previous
    link.leave()
    this.#size -= 1
    return true
  }

  /** Removes the oldest item. */
  shift(): T | undefined {
    const { first } = this
    this.remove(this.#ends.next)
    return first
  }

  clear(): void {
    while (this.remove(this.#ends.next));
  }

  count(matches: (item: T) => boolean): number {
    let count = 0
    for (let link = this.#ends.next; link !== this.#ends; link = link.next) if (matches(link.item as T)) count += 1
    return count
  }

  /** A copy of the items, so the list may change while they are visited. */
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

class ListLink<T> implements Entry {
  previous: ListLink<T> = this
  next: ListLink<T> = this

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

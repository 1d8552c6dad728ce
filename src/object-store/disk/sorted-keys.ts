const BLOCK = 512

/**
 * A set of strings in order, as a list of short sorted blocks: adding and removing touch one block, so a hundred
 * thousand keys cost the same few microseconds as a hundred, and a listing starts anywhere by two binary searches.
 */
export class SortedKeys {
  readonly #blocks: string[][] = []

  add(key: string): void {
    const at = Math.max(0, Math.min(this.#blockOf(key), this.#blocks.length - 1))
    const block = (this.#blocks[at] ??= [])
    const index = lowerBound(block, key)
    if (block[index] === key) return
    block.splice(index, 0, key)
    if (block.length > 2 * BLOCK) this.#blocks.splice(at, 1, block.slice(0, BLOCK), block.slice(BLOCK))
  }

  delete(key: string): void {
    const at = this.#blockOf(key)
    const block = this.#blocks[at]
    if (!block) return
    const index = lowerBound(block, key)
    if (block[index] !== key) return
    block.splice(index, 1)
    if (block.length === 0) this.#blocks.splice(at, 1)
  }

  /** The first key that is not before `key`. */
  firstFrom(key: string): string | undefined {
    const block = this.#blocks[this.#blockOf(key)]
    return block?.[lowerBound(block, key)]
  }

  /** The first block whose last key is not before `key`; the number of blocks when there is none. */
  #blockOf(key: string): number {
    return firstIndex(this.#blocks.length, at => (this.#blocks[at]?.at(-1) ?? '') >= key)
  }
}

function lowerBound(block: readonly string[], key: string): number {
  return firstIndex(block.length, at => (block[at] ?? '') >= key)
}

/** The first of `count` indexes for which `holds` is true, given that it is true for all behind it; else `count`. */
function firstIndex(count: number, holds: (index: number) => boolean): number {
  let low = 0
  let high = count
  while (low < high) {
    const middle = (low + high) >>> 1
    if (holds(middle)) high = middle
    else low = middle + 1
  }
  return low
}

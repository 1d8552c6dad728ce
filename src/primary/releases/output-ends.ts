const FIRST = 20
const LAST = 20

/** The beginning and the end of what a command prints. npm says what is wrong first, and then how it is used. */
export class OutputEnds {
  readonly #first: string[] = []
  readonly #last: string[] = []
  #leftOut = 0

  note(line: string): void {
    if (this.#first.length < FIRST) this.#first.push(line)
    else this.#last.push(line)
    if (this.#last.length <= LAST) return
    this.#last.shift()
    this.#leftOut += 1
  }

  /** With a line in place of those that are left out. */
  get lines(): readonly string[] {
    const gap = this.#leftOut === 0 ? [] : [`… (${this.#leftOut} more)`]
    return [...this.#first, ...gap, ...this.#last]
  }
}

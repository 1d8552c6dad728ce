/**
 * The files of objects that could not be read at start. Their keys are not known, only the hashes by which they are
 * named, or the beginnings of those hashes when a whole folder cannot be read.
 */
export class DamagedFiles {
  readonly #paths = new Map<string, string>()

  get size(): number {
    return this.#paths.size
  }

  paths(): string[] {
    return [...this.#paths.values()]
  }

  add(hashPrefix: string, path: string): void {
    this.#paths.set(hashPrefix, path)
  }

  /** The file that may be the one of a key with this hash. */
  pathOf(hash: string): string | undefined {
    return this.#paths.get(hash) ?? this.#paths.get(hash.slice(0, 2)) ?? this.#paths.get('')
  }

  /** Its file has been replaced or removed. */
  delete(hash: string): void {
    this.#paths.delete(hash)
  }
}

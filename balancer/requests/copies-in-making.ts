import type { AnswerCopy } from '../transports/transport.js'

export interface MakingLimits {
  readonly maxBytes: number
  readonly maxBytesOfOne: number
  readonly maxCount: number
}

/** An older copy is dropped when another one begins. Its answer is slow, or has broken off. */
const PATIENCE_MS = 10_000

/** Copies bodies of answers as they pass, within bounds. A body for which there is no room is not copied. */
export class CopiesInMaking {
  /** By name, the oldest first. */
  readonly #copies = new Map<string, Copy>()
  #bytes = 0

  /** @param clock in milliseconds */
  constructor(
    private readonly limits: MakingLimits,
    private readonly clock: () => number,
  ) {}

  /** @returns undefined if there is no room, or it is being copied already */
  begin(name: string, keep: (body: Buffer) => void): AnswerCopy | undefined {
    const now = this.clock()
    const [oldest] = this.#copies.values()
    for (const inTheWay of [this.#copies.get(name), oldest]) {
      if (inTheWay !== undefined && now - inTheWay.begunAt >= PATIENCE_MS) this.#end(inTheWay)
    }
    if (this.#copies.has(name) || this.#copies.size >= this.limits.maxCount) return undefined
    const copy: Copy = new Copy(name, now, {
      take: (bytes, ofThis) => {
        this.#bytes += bytes
        return ofThis <= this.limits.maxBytesOfOne && this.#bytes <= this.limits.maxBytes
      },
      stop: () => this.#end(copy),
      keep,
    })
    this.#copies.set(name, copy)
    return copy
  }

  #end(copy: Copy): void {
    this.#bytes -= copy.release()
    this.#copies.delete(copy.name)
  }
}

interface Making {
  /** @param ofThis all bytes of this copy, the new ones included @returns whether there is room for them */
  take(bytes: number, ofThis: number): boolean
  stop(): void
  keep(body: Buffer): void
}

class Copy implements AnswerCopy {
  /** Undefined once it has ended. */
  #parts: Buffer[] | undefined = []
  #bytes = 0

  constructor(
    readonly name: string,
    readonly begunAt: number,
    private readonly making: Making,
  ) {}

  add(part: Buffer): void {
    if (this.#parts === undefined) return
    this.#parts.push(part)
    this.#bytes += part.length
    if (!this.making.take(part.length, this.#bytes)) this.making.stop()
  }

  end(): void {
    if (this.#parts === undefined) return
    // Copied, because a part may be a piece of a larger buffer, which would be kept as a whole.
    const body = Buffer.concat(this.#parts)
    this.making.stop()
    this.making.keep(body)
  }

  /** @returns the bytes that it held */
  release(): number {
    this.#parts = undefined
    return this.#bytes
  }
}

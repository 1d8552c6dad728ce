/** The source did not deliver its next piece in time. */
export class SourceIdleError extends Error {
  constructor(idleMs: number) {
    super(`no data came for ${idleMs} ms`)
    this.name = 'SourceIdleError'
  }
}

/** Passes on the pieces, and throws when one takes longer than `idleMs`. The time of the consumer does not count. */
export async function* withIdleDeadline<T>(
  source: AsyncIterable<T> | Iterable<T>,
  idleMs: number,
): AsyncGenerator<T, void, undefined> {
  const iterator = Symbol.asyncIterator in source ? source[Symbol.asyncIterator]() : source[Symbol.iterator]()
  let timer: NodeJS.Timeout | undefined
  let done = false
  try {
    for (;;) {
      const idle = new Promise<never>((_resolve, reject) => {
        timer = setTimeout(() => reject(new SourceIdleError(idleMs)), idleMs)
      })
      const next = await Promise.race([iterator.next(), idle])
      clearTimeout(timer)
      if (next.done === true) {
        done = true
        return
      }
      yield next.value
    }
  } finally {
    clearTimeout(timer)
    // Not awaited, because a generator that waits for its next piece returns only after it.
    if (!done) void Promise.resolve(iterator.return?.()).catch(() => undefined)
  }
}

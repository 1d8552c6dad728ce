/** The source did not give its next piece in time. */
export class SourceIdleError extends Error {
  constructor(idleMs: number) {
    super(`no data came for ${idleMs} ms`)
    this.name = 'SourceIdleError'
  }
}

/** The same pieces; throws when the next one takes longer than `idleMs`. How long the consumer takes does not count. */
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
    // Not awaited: a generator that waits for its next piece would only return after it.
    if (!done) void Promise.resolve(iterator.return?.()).catch(() => undefined)
  }
}

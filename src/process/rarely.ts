/** Runs the action at most once in `ms` milliseconds. Calls in between do nothing. */
export function rarely(ms: number, action: () => void): () => void {
  let doneAt = -Infinity
  return () => {
    const now = performance.now()
    if (now - doneAt < ms) return
    doneAt = now
    action()
  }
}

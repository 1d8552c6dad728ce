/** The action, at most once in so many milliseconds. What is asked for in between is left out. */
export function rarely(ms: number, action: () => void): () => void {
  let doneAt = -Infinity
  return () => {
    const now = performance.now()
    if (now - doneAt < ms) return
    doneAt = now
    action()
  }
}

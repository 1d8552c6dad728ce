/** The action, at the end of this turn of the event loop: once, however often it is asked for. */
export function oncePerTurn(action: () => void): () => void {
  let isAsked = false
  return () => {
    if (isAsked) return
    isAsked = true
    setImmediate(() => {
      isAsked = false
      action()
    })
  }
}

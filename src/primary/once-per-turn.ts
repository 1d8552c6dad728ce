/** Runs the action at the end of this turn of the event loop: once, however often it is called. */
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

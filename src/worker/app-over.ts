import { hasOwnWork } from './own-work.js'

const CHECK_MS = 5_000

/**
 * An app that closes its server and has nothing else to do is over: under node its process ends. Here the channel to the
 * primary would keep it alive, with nobody to answer.
 * @param isServed whether a server of the app is public
 * @param over called once
 */
export function whenAppIsOver(isServed: () => boolean, over: () => void): void {
  const check = setInterval(() => {
    if (isServed() || hasOwnWork()) return
    clearInterval(check)
    over()
  }, CHECK_MS).unref()
}

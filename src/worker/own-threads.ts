import type { Worker } from 'node:worker_threads'

/** The code that runs before the app is a bundle of its own, so the mark is the same symbol in both. */
const OWN = Symbol.for('outpost.thread')

/** The app is not told of this thread, which was made in this turn of the event loop. */
export function hideThread(thread: Worker): void {
  Object.assign(thread, { [OWN]: true })
}

export function isHiddenThread(value: unknown): boolean {
  return typeof value === 'object' && value !== null && OWN in value
}

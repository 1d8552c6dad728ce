import type { TempFolder } from './temp-folder.js'

/** What every part of the store needs from the whole. */
export interface StoreContext {
  readonly temp: TempFolder
  /** Milliseconds since the epoch. */
  readonly now: () => number
  /** Told of what the operator should know and no client is told. */
  readonly warn: (message: string, cause?: unknown) => void
}

import type { TempFolder } from './temp-folder.js'

/** Shared by all parts of the store. */
export interface StoreContext {
  readonly temp: TempFolder
  /** Milliseconds since the epoch. */
  readonly now: () => number
  /** Called for faults that concern the operator and no client. */
  readonly warn: (message: string, cause?: unknown) => void
}

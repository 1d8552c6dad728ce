import { setTimeout as sleep } from 'node:timers/promises'

/** The processes that carry out orders to the edge. */
export interface EdgeRunner {
  /** Orders have changed. */
  edgeChanged(): void
  /** Resolves when every process that balances goes by the newest orders. */
  routed(): Promise<void>
  /** Resolves when nothing is in flight any more at any of them since a pause. @param pausedUntil as it was ordered */
  quiet(pausedUntil: number): Promise<void>
}

/** A process that balances takes its orders within this time, or is replaced. */
const ROUTED_MS = 10_000

/** Resolves when orders that have just changed are carried out everywhere. */
export async function carriedOut(runner: EdgeRunner): Promise<void> {
  const routed = routedInTime(runner)
  runner.edgeChanged()
  await routed
}

/** Resolves when every process that balances goes by the newest orders, or is about to be replaced. */
export async function routedInTime(runner: Pick<EdgeRunner, 'routed'>): Promise<void> {
  await Promise.race([runner.routed(), sleep(ROUTED_MS, undefined, { ref: false })])
}

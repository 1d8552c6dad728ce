import { defaultOptions, type BalancerOptions } from '#balancer'
import { TargetPool } from '#balancer/targets/target-pool.js'
import type { InFlight } from '#balancer/targets/in-flight.js'
import type { Target } from '#balancer/targets/target.js'
import type { Transport, UpgradedConnection } from '#balancer/transports/transport.js'

/** A transport to nowhere that counts its closings. */
export class NoTransport implements Transport {
  closed = 0

  send(): void {
    throw new Error('nothing is sent in this test')
  }

  upgrade(): void {
    throw new Error('nothing is upgraded in this test')
  }

  ping(_answered: () => void): boolean {
    return false
  }

  close(): void {
    this.closed += 1
  }
}

/** A request that counts how often its target went down. */
export class FakeRequest implements InFlight {
  downs = 0
  answering = false

  noteAnswering(): void {}

  targetBrokeOff(): void {}

  abandon(): undefined {}

  endPoll(): boolean {
    return false
  }

  targetWentDown(): void {
    this.downs += 1
  }
}

export class FakeUpgraded implements UpgradedConnection {
  closes = 0

  closeForRestart(): void {
    this.closes += 1
  }
}

/** A pool whose targets `ids` are ready. */
export function readyPool(
  ids: readonly string[],
  options: Partial<BalancerOptions> = {},
  random?: () => number,
): { pool: TargetPool; targets: Target[] } {
  const pool = new TargetPool({ ...defaultOptions, ...options }, random)
  const targets = ids.map(id => pool.add(id, new NoTransport()))
  for (const target of targets) target.markReady()
  return { pool, targets }
}

import { setTimeout as sleep } from 'node:timers/promises'
import { upgradeIn } from './upgrade-sign.js'

const LOOK_EVERY_MS = 50

/** The patience of one command with an instance that is being upgraded: for about a second nobody takes commands. */
export class UpgradeWait {
  #until: number | undefined
  #hasLookedAgain = false

  /** @param onWait called once, if it waits */
  constructor(
    private readonly dataDir: string,
    private readonly onWait: () => void = () => undefined,
  ) {}

  /** Whether an upgrade is under way. Waits for a moment if so. */
  async isWorthwhile(): Promise<boolean> {
    const upgrade = upgradeIn(this.dataDir)
    if (upgrade === undefined) return false
    if (this.#until === undefined) this.onWait()
    this.#until ??= performance.now() + upgrade.withinMs
    if (performance.now() >= this.#until) return false
    await sleep(LOOK_EVERY_MS)
    return true
  }

  /** The same, where nobody was there: the next program may have come between that and the look for an upgrade. */
  async mayHaveCome(): Promise<boolean> {
    if (await this.isWorthwhile()) return true
    const isFirst = !this.#hasLookedAgain
    this.#hasLookedAgain = true
    return isFirst
  }
}

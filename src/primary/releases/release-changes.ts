import { ControlError } from '../../control/protocol.js'
import type { Previewing } from './preview.js'
import type { ReleaseRunner } from './release-runner.js'
import type { ReleaseSwitch, Switching } from './release-switch.js'

/** Who carries the changes out. */
export interface ChangeExecutor {
  /** Workers are being replaced by a reload. */
  isReloading(): boolean
  /** Workers are needed. */
  wake(reason: string): void
  /** Something is to be done. */
  ask(): void
  routed(): Promise<void>
}

/** Changes of the releases that run, as they are asked for: one at a time, and not during a reload. */
export class ReleaseChanges implements ReleaseRunner {
  constructor(
    readonly releases: ReleaseSwitch,
    private readonly executor: ChangeExecutor,
  ) {}

  changeRelease(switching: Switching): void {
    this.#requireQuiet()
    this.releases.begin(switching, performance.now())
    this.executor.ask()
  }

  previewRelease(previewing: Previewing): void {
    this.#requireQuiet()
    this.releases.beginPreview(previewing, performance.now())
    this.executor.ask()
  }

  endPreview(): void {
    this.releases.endPreview()
    this.executor.ask()
  }

  routed(): Promise<void> {
    return this.executor.routed()
  }

  #requireQuiet(): void {
    if (this.releases.underWay !== undefined) throw new ControlError('DEPLOY_UNDER_WAY')
    if (this.executor.isReloading()) throw new ControlError('RELOAD_UNDER_WAY')
    this.executor.wake('a release changes')
  }
}

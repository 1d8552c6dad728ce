import { ControlError } from '../../control/protocol.js'
import type { ReloadRequests } from '../reload-requests.js'
import type { Fault } from './fault.js'
import type { Previewing } from './preview.js'
import type { ReleaseRunner } from './release-runner.js'
import type { ReleaseSwitch, Switching } from './release-switch.js'

/** Carries the changes out. */
export interface ChangeExecutor {
  /** Requests a pass. */
  ask(): void
  /** Resolves when every process that balances goes by the newest list of workers. */
  routed(): Promise<void>
}

/** Changes of the releases that run, as they are asked for: one at a time, and not during a reload. */
export class ReleaseChanges implements ReleaseRunner {
  constructor(
    readonly releases: ReleaseSwitch,
    private readonly reloads: Pick<ReloadRequests, 'areUnderWay' | 'over' | 'giveUp'>,
    private readonly pool: { wake(reason: string): void },
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

  endChange(fault: Fault): void {
    this.releases.endChange(fault)
    this.executor.ask()
  }

  endReload(reason: Error): boolean {
    if (!this.reloads.areUnderWay) return false
    this.reloads.giveUp(reason)
    this.executor.ask()
    return true
  }

  reloaded(): Promise<void> {
    return this.reloads.over()
  }

  routed(): Promise<void> {
    return this.executor.routed()
  }

  #requireQuiet(): void {
    if (this.releases.underWay !== undefined) throw new ControlError('DEPLOY_UNDER_WAY')
    if (this.reloads.areUnderWay) throw new ControlError('RELOAD_UNDER_WAY')
    this.pool.wake('a release changes')
  }
}

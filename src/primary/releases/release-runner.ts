import type { Fault } from './fault.js'
import type { Previewing } from './preview.js'
import type { ReleaseSwitch, Switching } from './release-switch.js'

/** Changes the release that runs. */
export interface ReleaseRunner {
  /**
   * Brings clients to another release, which has been installed. The watcher gets its steps and its end.
   * @throws {ControlError} another change, or a reload, is under way
   */
  changeRelease(switching: Switching): void
  /**
   * Runs a release beside the live one, in place of another preview.
   * @throws {ControlError} another change, or a reload, is under way
   */
  previewRelease(previewing: Previewing): void
  endPreview(): void
  /** The release whose change is under way is taken back. */
  endChange(fault: Fault): void
  /** Ends a reload that is under way: its caller gets this reason. @returns whether one was */
  endReload(reason: Error): boolean
  /** Resolves when no reload is under way. */
  reloaded(): Promise<void>
  /** To be called within a change of releases. Resolves when every balancing process follows it. */
  routed(): Promise<void>
  readonly releases: Pick<ReleaseSwitch, 'current' | 'underWay' | 'warm' | 'preview'>
}

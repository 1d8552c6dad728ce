import type { PublicPort } from '../host/public-port.js'
import type { ProgramFile } from './messages.js'

/** A program that waits until its predecessor has ended. */
export interface Prepared {
  version: string
  pid: number
  /** The process that was started first, and ends with the last program. */
  launcher: number
}

/** Starts the program that is to come after this one. */
export interface Successors {
  /**
   * Resolves when the program has been started, has read its environment, and holds the public port.
   * @throws {ControlError} `UPGRADE_REFUSED`: it did not get so far, and nothing has changed
   */
  prepare(file: ProgramFile, port: PublicPort): Promise<Prepared>
  /** This program stops as it was told to. What was prepared, or is being prepared, is not to follow. */
  cancel(): void
}

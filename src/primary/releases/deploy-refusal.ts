import { ControlError } from '../../control/protocol.js'
import { ArchiveError } from './archive-error.js'
import { InstallError } from './installer.js'
import { ShortageError } from './space-watch.js'

/** The message to the person who reloads, when the app is rolled back meanwhile. */
export function reloadRefusal(rolledBackTo: string): ControlError {
  const message = `The app was rolled back to release ${rolledBackTo} during this reload, so no more workers are replaced.`
  return new ControlError('ROLLED_BACK', { message })
}

/** The message to the person who deploys, when a release was not installed. */
export function refusalOf(error: unknown): unknown {
  const { message } = error as Error
  if (error instanceof ArchiveError)
    return new ControlError('ARCHIVE_REFUSED', { message: `The archive is refused: ${message}.` })
  // With MIN_FREE_BYTES=0, or if others are faster than the watch.
  const isFull = ['ENOSPC', 'EDQUOT'].includes((error as NodeJS.ErrnoException).code ?? '')
  if (error instanceof ShortageError || isFull) {
    const reason = isFull ? 'the disk is full' : message
    return new ControlError('INSTALL_FAILED', { message: `The release is not installed: ${reason}.` })
  }
  if (!(error instanceof InstallError)) return error
  return new ControlError('INSTALL_FAILED', {
    message: `The release is not installed: ${message}.`,
    lastLines: error.lastLines,
  })
}

/** @throws {ControlError} what the person who deploys is told */
export function orRefused<T>(work: () => T): T {
  try {
    return work()
  } catch (error) {
    throw refusalOf(error)
  }
}

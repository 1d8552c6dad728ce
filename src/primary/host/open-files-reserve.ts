import { openFilesLimit } from '../../resources/open-files-limit.js'

/** Open files for the pipes and channels of a fork, and for other work of the primary. */
const RESERVE = 64
/** Open files for each child and its successor. */
const PER_CHILD = 8

/**
 * How many of its open files the primary may use for connections. The rest is reserved for its children, however many
 * clients come. At least half may be used, because an instance that accepts no client needs no reserve.
 */
export function openFilesToSpare(children: number, limit = openFilesLimit()): number {
  return Math.max(limit - RESERVE - children * PER_CHILD, Math.floor(limit / 2))
}

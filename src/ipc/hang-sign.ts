/**
 * A file by which the primary tells a worker of mesh mode that it has hung and is killed now. Its event loop
 * gets no messages any more, but its stand-in looks for this file.
 */
export function hangSignPath(socketPath: string): string {
  return `${socketPath}${HANG_SUFFIX}`
}

export const HANG_SUFFIX = '.hung'

/** The stand-in has this long to answer, and ends the worker itself. */
export const STAND_IN_MS = 2_000

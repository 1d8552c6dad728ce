import { ControlError } from '../../control/protocol.js'
import type { ReleaseRunner } from './release-runner.js'
import type { ReleaseStore } from './release-store.js'

/** The course of a rollback. */
export interface WayBack {
  /** The release that all clients get. */
  readonly to: string
  /** The step that is given up first. */
  readonly ends: 'change' | 'preview' | undefined
  /** Whether clients got it already, but for those of a trial. */
  readonly isServed: boolean
}

type Releases = Pick<ReleaseRunner['releases'], 'current' | 'underWay' | 'preview'>

/**
 * The release that a rollback goes back to. During a trial that is the one that serves the others, not its predecessor.
 * @param wanted undefined: the previous release
 * @param isChanging a release is on its way to the clients, or is being taken back from them
 * @throws {ControlError} `UNKNOWN_RELEASE`, `ALREADY_LIVE`, `DEPLOY_UNDER_WAY`
 */
export function wayBack(
  wanted: string | undefined,
  { current, underWay, preview }: Releases,
  isChanging: boolean,
  store: Pick<ReleaseStore, 'previous' | 'has'>,
): WayBack {
  const to = wanted ?? (isChanging ? current : store.previous)
  if (to === undefined) throw unknown('There is no release before this one.')
  if (to === underWay?.release) throw new ControlError('DEPLOY_UNDER_WAY')
  const isServed = to === current
  if (!isServed && !store.has(to)) throw unknown(`There is no release ${to} to run.`)
  if (isChanging) return { to, ends: 'change', isServed }
  if (isServed && preview === undefined) throw alreadyLive(to)
  return { to, ends: isServed ? 'preview' : undefined, isServed }
}

export function alreadyLive(release: string): ControlError {
  return new ControlError('ALREADY_LIVE', { message: `Release ${release} is live already. Nothing has changed.` })
}

function unknown(message: string): ControlError {
  return new ControlError('UNKNOWN_RELEASE', { message })
}

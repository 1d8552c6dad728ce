import type { ObservedSide, SidePlace } from '../plan/side-plan.js'
import { RunningCommand, type CommandLaunch, type CommandObserver } from './running-command.js'

/** A process of the Procfile. */
export interface SideSpec extends CommandLaunch {
  readonly at: SidePlace
  /** The version of the desired state that it was started for. */
  readonly version: number
  readonly release: string
  /** The generation of the last reload before its start. */
  readonly generation: number
}

/** A process of the Procfile. As with foreman and Heroku, its name is its line and its number, e.g. `worker.1`. */
export class Side extends RunningCommand {
  /** @param id unique over the life of the primary */
  constructor(
    readonly id: number,
    readonly spec: SideSpec,
    lifeline: string,
    observer: CommandObserver,
  ) {
    super(`${spec.at.name}.${spec.at.place + 1}`, spec, lifeline, observer)
  }

  /** The facts that the plan uses. */
  observe(): ObservedSide {
    const { id, spec, state, asked, startedAt, ranMs, killAt } = this
    return { id, ...spec.at, version: spec.version, state, asked, startedAt, ranMs, killAt }
  }
}

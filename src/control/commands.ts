import type { Readable } from 'node:stream'
import type { Log } from './log-answer.js'
import type {
  Deployed,
  DeployProgress,
  DeployQuery,
  EnvironmentChange,
  MaintenanceSet,
  MaintenanceWanted,
  PauseWanted,
  Paused,
  Progress,
  ReleaseInfo,
  Reloaded,
  Resumed,
  RunPlace,
  Scale,
  Scaled,
  Status,
  TokenInfo,
  UpgradeWanted,
  Upgrading,
} from './protocol.js'

/** The commands that the server carries out. */
export interface Commands {
  status(): Status
  /**
   * Waits until the first request can be answered.
   * @throws {Error} a worker failed before that; its `lastLines` are the last output of that worker
   */
  serving(): Promise<void>
  readonly log: Log
  /**
   * Replaces every worker.
   * @param onProgress called for each worker that has been replaced
   * @throws {Error} a new worker failed; its `lastLines`, if any, are the last output of that worker
   */
  reload(onProgress: (event: Progress) => void): Promise<Reloaded>
  /**
   * Changes how many processes are wanted.
   * @throws {ControlError} `MODE_IS_FIXED`
   */
  scale(wanted: Scale): Scaled
  /** The releases that are known, the newest first. */
  releases(): ReleaseInfo[]
  /**
   * Receives a release and makes it the live one.
   * @param archive a tar stream
   * @throws {ControlError} the previous release stays live
   */
  deploy(archive: Readable, query: DeployQuery, onProgress: (event: DeployProgress) => void): Promise<Deployed>
  /** The variables that were set for the live release. */
  environment(): Record<string, string>
  /**
   * Changes variables of the app by a release of their own.
   * @throws {ControlError} the previous release stays live
   */
  setEnvironment(change: EnvironmentChange, onProgress: (event: DeployProgress) => void): Promise<Deployed>
  /** Where a one-off command of the live release runs. */
  runPlace(): RunPlace
  /**
   * Makes a release live that is in preview, or was kept.
   * @throws {ControlError} the previous release stays live
   */
  activate(
    release: string,
    stages: DeployQuery['stages'],
    onProgress: (event: DeployProgress) => void,
  ): Promise<Deployed>
  /**
   * Goes back to an earlier release.
   * @param release undefined: the previous one
   * @throws {ControlError} the release that was live stays live
   */
  rollback(release: string | undefined, onProgress: (event: DeployProgress) => void): Promise<Deployed>
  /**
   * Holds requests back.
   * @throws {ControlError} `STILL_IN_FLIGHT`
   */
  pause(pause: PauseWanted): Promise<Paused>
  /** Lets requests continue. */
  resume(): Promise<Resumed>
  /**
   * Answers clients with a page, or no longer.
   * @throws {ControlError} `INVALID_BODY`
   */
  maintain(wanted: MaintenanceWanted): Promise<MaintenanceSet>
  /** The tokens for the control API over TCP. */
  readonly tokens: {
    list(): TokenInfo[]
    /** @throws {ControlError} `TOO_MANY_TOKENS` */
    create(name: string): { id: string; token: string }
    /** @throws {ControlError} `UNKNOWN_TOKEN` */
    revoke(id: string): void
  }
  /**
   * Starts another version of the program, which waits.
   * @returns what is to follow, and a function that ends this instance in its favour
   * @throws {ControlError} `UPGRADE_REFUSED`, `DEPLOY_UNDER_WAY`, `UPGRADE_UNDER_WAY`
   */
  upgrade(wanted: UpgradeWanted): Promise<{ upgrading: Upgrading; handOver: () => void }>
  /** Begins to stop the instance, as SIGTERM does. */
  stop(): void
}

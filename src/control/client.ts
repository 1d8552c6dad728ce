import { dirname } from 'node:path'
import type { Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import type * as z from 'zod'
import { call, controlError, instancePlace, linesOf, parsed, type Asking, type InstancePlace } from './call.js'
import {
  contentTypes,
  ControlError,
  deployedSchema,
  createdTokenSchema,
  deployEventSchema,
  environmentSchema,
  logEventSchema,
  maintenanceSetSchema,
  pausedSchema,
  releasesSchema,
  reloadEventSchema,
  resumedSchema,
  revokedTokenSchema,
  runSchema,
  scaledSchema,
  statusSchema,
  stoppingSchema,
  tokensSchema,
  upgradingSchema,
  type CreatedToken,
  type Deployed,
  type DeployEvent,
  type DeployProgress,
  type EnvironmentChange,
  type LogEvent,
  type MaintenanceSet,
  type MaintenanceWanted,
  type PauseWanted,
  type Paused,
  type Progress,
  type ReleaseInfo,
  type Reloaded,
  type ReloadEvent,
  type Resumed,
  type RouteName,
  type RunPlace,
  type Scale,
  type Scaled,
  type Status,
  type TokenInfo,
  type UpgradeWanted,
  type Upgrading,
} from './protocol.js'
import type { UpgradeWait } from './upgrade-wait.js'

const ANSWER_MS = 5_000
/** START_TIMEOUT_MS may be long, and the primary ends the wait when a worker fails. */
const START_MS = 24 * 60 * 60_000
/** Each of many workers may take long to become ready and to drain. */
const RELOAD_MS = 10 * 60_000

/** Installation, bake and the drain of many workers take their time. */
const DEPLOY_MS = 24 * 60 * 60_000

/** Another version of the program loads its code. */
const STANDBY_MS = 60_000

/** The instance waits this long for its balancers. */
const ORDERED_MS = 10_000

/** Commands to a running Outpost. Each call is a connection of its own and fails at its deadline. */
export class ControlClient {
  private constructor(private readonly place: InstancePlace) {}

  /** @param socketPath `control.sock` in the folder of an instance's sockets @throws {NotRunningError} */
  static connect(socketPath: string, dataDir = dirname(dirname(socketPath))): Promise<ControlClient> {
    return ControlClient.#at({ socketPath, dataDir })
  }

  /**
   * By the DATA_DIR of an instance.
   * @param wait for the next program, during an upgrade; undefined: not at all
   * @throws {NotRunningError | ControlError}
   */
  static of(dataDir: string, wait?: UpgradeWait): Promise<ControlClient> {
    return ControlClient.#at(instancePlace(dataDir, wait))
  }

  static async #at(place: InstancePlace): Promise<ControlClient> {
    const client = new ControlClient(place)
    await client.status()
    return client
  }

  /** @throws {NotRunningError | ControlError} */
  async status(): Promise<Status> {
    return this.#document(statusSchema, 'status')
  }

  /**
   * Waits until the first request can be answered.
   * @throws {NotRunningError | ControlError} `START_FAILED` with the last output of a worker that failed before
   */
  async serving(timeoutMs = START_MS): Promise<Status> {
    const response = await call(this.place, 'serving', contentTypes.json, { timeoutMs })
    return parsed(statusSchema, await text(response))
  }

  /**
   * The last lines of the log.
   * @param follow sends each further one as it comes; the generator then ends with the instance only
   * @param signal ends it
   * @throws {NotRunningError | ControlError} `STOPPING`: the instance, and so its log, has come to its end
   */
  async *logs(
    lines: number,
    follow: boolean,
    signal?: AbortSignal,
  ): AsyncGenerator<Extract<LogEvent, { event: 'line' | 'skipped' }>> {
    const search = `?lines=${lines}&follow=${follow ? 1 : 0}`
    const deadline = follow ? {} : { timeoutMs: ANSWER_MS }
    for await (const event of this.#events(logEventSchema, 'logs', {
      search,
      ...deadline,
      ...(signal && { signal }),
    })) {
      if (event.event === 'end') return
      yield event
    }
    throw new ControlError('STOPPING')
  }

  /**
   * Replaces every worker, and resolves when that is over.
   * @param onProgress called for each worker that has been replaced
   * @throws {NotRunningError | ControlError} `ROLLED_BACK`, `RELOAD_FAILED` with the last output of the new worker
   */
  async reload(onProgress: (event: Progress) => void = () => undefined, timeoutMs = RELOAD_MS): Promise<Reloaded> {
    for await (const event of this.#events(reloadEventSchema, 'reload', { timeoutMs })) {
      if (event.event === 'done') return { replaced: event.replaced }
      onProgress(event)
    }
    throw new Error('the control API ended its answer before the reload was over')
  }

  /** @throws {NotRunningError | ControlError} */
  async releases(): Promise<ReleaseInfo[]> {
    return (await this.#document(releasesSchema, 'releases')).releases
  }

  /**
   * Sends a release, and resolves when all clients get it.
   * @param archive a tar stream, compressed by gzip or not
   * @param query as in the protocol, e.g. `{ source: 'shop', stages: '20:10' }`
   * @throws {NotRunningError | ControlError} the previous release stays live
   */
  deploy(
    archive: Readable,
    query: Readonly<Record<string, string>>,
    onProgress: (event: DeployProgress) => void = () => undefined,
  ): Promise<Deployed> {
    const search = `?${new URLSearchParams(query).toString()}`
    return this.#change('deploy', { body: archive, search, timeoutMs: DEPLOY_MS }, onProgress)
  }

  /**
   * Makes a release live that is in preview or was kept, and resolves when all clients get it.
   * @param stages as in the protocol, e.g. `20:10`; none for no trial
   * @throws {NotRunningError | ControlError} the previous release stays live
   */
  activate(
    release: string,
    stages = '',
    onProgress: (event: DeployProgress) => void = () => undefined,
  ): Promise<Deployed> {
    const search = `?${new URLSearchParams({ stages }).toString()}`
    return this.#change('activate', { release, search, timeoutMs: DEPLOY_MS }, onProgress)
  }

  /**
   * Goes back to an earlier release, and resolves when all clients get it.
   * @param release undefined: the previous one
   * @throws {NotRunningError | ControlError} the release that was live stays live
   */
  rollback(release?: string, onProgress: (event: DeployProgress) => void = () => undefined): Promise<Deployed> {
    const body = release === undefined ? {} : { body: JSON.stringify({ release }) }
    return this.#change('rollback', { ...body, timeoutMs: DEPLOY_MS }, onProgress)
  }

  /** The variables that were set for the live release. @throws {NotRunningError | ControlError} */
  async environment(): Promise<Record<string, string>> {
    return (await this.#document(environmentSchema, 'environment')).env
  }

  /**
   * Changes variables of the app, and resolves when all clients get a release with them.
   * @throws {NotRunningError | ControlError} the previous release stays live
   */
  setEnvironment(
    change: Partial<EnvironmentChange>,
    onProgress: (event: DeployProgress) => void = () => undefined,
  ): Promise<Deployed> {
    return this.#change('setEnvironment', { body: JSON.stringify(change), timeoutMs: DEPLOY_MS }, onProgress)
  }

  /**
   * Holds requests back, and resolves when every balancer does.
   * @throws {NotRunningError | ControlError} `STILL_IN_FLIGHT`: with `drain`, and the pause is over
   */
  pause({ seconds, drain }: PauseWanted): Promise<Paused> {
    const timeoutMs = ANSWER_MS + ORDERED_MS + (drain ? seconds * 1_000 : 0)
    return this.#document(pausedSchema, 'pause', JSON.stringify({ seconds, drain }), timeoutMs)
  }

  /** Lets requests continue. @throws {NotRunningError | ControlError} */
  resume(): Promise<Resumed> {
    return this.#document(resumedSchema, 'resume', undefined, ANSWER_MS + ORDERED_MS)
  }

  /** Answers clients with a page, or no longer. @throws {NotRunningError | ControlError} `INVALID_BODY` */
  maintenance(wanted: Partial<MaintenanceWanted> & { on: boolean }): Promise<MaintenanceSet> {
    return this.#document(maintenanceSetSchema, 'maintain', JSON.stringify(wanted), ANSWER_MS + ORDERED_MS)
  }

  /** Where a one-off command of the live release runs. @throws {NotRunningError | ControlError} */
  runPlace(): Promise<RunPlace> {
    return this.#document(runSchema, 'run')
  }

  async #change(route: RouteName, asking: Asking, onProgress: (event: DeployProgress) => void): Promise<Deployed> {
    for await (const event of this.#events(deployEventSchema, route, asking)) {
      if (event.event === 'done') return deployedSchema.parse(event)
      onProgress(event)
    }
    throw new Error('the control API ended its answer before the deploy was over')
  }

  /** The events of an answer. @throws {NotRunningError | ControlError} that of the event `failed` */
  async *#events<Event extends LogEvent | ReloadEvent | DeployEvent>(
    schema: z.ZodType<Event>,
    route: RouteName,
    asking: Asking,
  ): AsyncGenerator<Exclude<Event, { event: 'failed' }>> {
    const response = await call(this.place, route, contentTypes.events, asking)
    try {
      for await (const line of linesOf(response)) {
        const event = parsed(schema, line)
        if (event.event === 'failed') throw controlError(event.error)
        yield event as Exclude<Event, { event: 'failed' }>
      }
    } finally {
      response.destroy()
    }
  }

  /**
   * Changes how many processes are wanted, and does not wait for them.
   * @returns all counts that are wanted from now on
   * @throws {NotRunningError | ControlError} `MODE_IS_FIXED`
   */
  async scale(wanted: Scale): Promise<Scaled> {
    return this.#document(scaledSchema, 'scale', JSON.stringify(wanted))
  }

  /** The tokens for the port. @throws {NotRunningError | ControlError} */
  async tokens(): Promise<TokenInfo[]> {
    return (await this.#document(tokensSchema, 'tokens')).tokens
  }

  /** @returns the token, which nobody can be told again @throws {NotRunningError | ControlError} `TOO_MANY_TOKENS` */
  createToken(name: string): Promise<CreatedToken> {
    return this.#document(createdTokenSchema, 'createToken', JSON.stringify({ name }))
  }

  /** @throws {NotRunningError | ControlError} `UNKNOWN_TOKEN` */
  async revokeToken(id: string): Promise<void> {
    await this.#document(revokedTokenSchema, 'revokeToken', JSON.stringify({ id }))
  }

  /**
   * Lets another version of the program take over, and resolves when that version stands by.
   * @throws {NotRunningError | ControlError} `UPGRADE_REFUSED`: nothing has changed
   */
  upgrade(wanted: UpgradeWanted): Promise<Upgrading> {
    return this.#document(upgradingSchema, 'upgrade', JSON.stringify(wanted), STANDBY_MS)
  }

  /**
   * Begins a stop, as SIGTERM does.
   * @returns the pid of the primary, which ends when it has drained
   * @throws {NotRunningError | ControlError}
   */
  async stop(): Promise<{ pid: number }> {
    return this.#document(stoppingSchema, 'stop')
  }

  async #document<T>(schema: z.ZodType<T>, route: RouteName, body?: string, timeoutMs = ANSWER_MS): Promise<T> {
    const response = await call(this.place, route, contentTypes.json, { timeoutMs, ...(body && { body }) })
    return parsed(schema, await text(response))
  }
}

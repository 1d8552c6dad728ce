import { setTimeout as sleep } from 'node:timers/promises'
import { ControlError, type Upgrading } from '../../control/protocol.js'
import { announceUpgrade, withdrawUpgrade } from '../../control/upgrade-sign.js'
import type { Logger } from '../../process/log.js'
import type { Service } from '../../process/service.js'
import { programVersion } from '../../process/version.js'
import type { PublicPort } from '../host/public-port.js'
import type { ShutdownClock } from '../host/shutdown-clock.js'
import type { Supervisor } from '../supervisor.js'
import type { ProgramFile } from './messages.js'
import { programFault } from './program-fault.js'
import type { Successors } from './successors.js'

/** Clients that send a request at least this often have a new connection after it, which ends with one answer. */
const LAST_ANSWERS_MS = 2_000
/** A client sends its request within this time after it has connected. */
const SETTLE_MS = 300
/** The next program takes commands within this time after the end of this one. */
const START_MS = 60_000

export interface HandoverParts {
  supervisor: Pick<Supervisor, 'children' | 'phase'>
  /** The parts that may take long to stop while requests are served. */
  stopsFirst: Pick<Service, 'stop'>
  shutdown: Pick<ShutdownClock, 'restart'>
  successors: Successors
  publicPort: PublicPort
  /** A command that is to end before: what it changes would end with this instance. */
  underWay: () => 'DEPLOY_UNDER_WAY' | 'RELOAD_UNDER_WAY' | undefined
  /** Why the disk does not know what is live: the other version would serve another release. */
  unrecorded: () => string | undefined
  /** Where commands look for an upgrade when nobody takes them, and how long requests in flight may take by default. */
  config: { readonly dataDir: string; readonly shutdownTimeoutMs: number }
  log: Logger
}

/** The end of an instance in favour of another version of the program. */
export class Handover {
  /** Resolves when this instance is to end. */
  readonly wanted: Promise<void>
  #want: () => void = () => undefined
  #isPreparing = false
  #isCancelled = false
  #withinMs: number | undefined

  constructor(private readonly parts: HandoverParts) {
    this.wanted = new Promise(resolve => (this.#want = resolve))
  }

  /** Whether another version is about to take over, or is being started for that. */
  get isUnderWay(): boolean {
    return this.#isPreparing && !this.#isCancelled
  }

  /**
   * @param withinMs how long this instance may take to end; undefined for SHUTDOWN_TIMEOUT_MS
   * @throws {ControlError} the other version does not stand by, or this is not the time for it; nothing has changed
   */
  async prepare(file: ProgramFile, withinMs?: number): Promise<{ upgrading: Upgrading; handOver: () => void }> {
    const { supervisor, successors, publicPort, config, log } = this.parts
    if (this.#isCancelled) throw new ControlError('STOPPING')
    if (this.#isPreparing) throw new ControlError('UPGRADE_UNDER_WAY')
    const underWay = this.parts.underWay()
    if (underWay !== undefined) throw new ControlError(underWay)
    const fault = programFault(file.program)
    if (fault !== undefined) throw new ControlError('UPGRADE_REFUSED', { message: `nothing has changed: ${fault}` })
    const doubt = this.parts.unrecorded()
    if (doubt !== undefined) {
      throw new ControlError('UPGRADE_REFUSED', {
        message: `nothing has changed: the live release is not recorded: ${doubt}`,
      })
    }
    if (supervisor.phase !== 'serving') throw new ControlError('UPGRADE_REFUSED', { message: 'nothing is served yet' })
    this.#isPreparing = true
    try {
      this.#withinMs = withinMs
      const { version, pid, launcher } = await successors.prepare(file, publicPort)
      const endMs = LAST_ANSWERS_MS + (withinMs ?? config.shutdownTimeoutMs)
      announceUpgrade(config.dataDir, { launcher, withinMs: endMs + START_MS })
      log.info({ version, successor: pid }, 'instance is handed over: another version stands by')
      return { upgrading: { from: programVersion, to: version, pid, launcher }, handOver: this.#want }
    } catch (error) {
      this.#isPreparing = false
      throw error
    }
  }

  /** The instance ends for another reason, and nothing is to follow. */
  cancel(): void {
    this.#isCancelled = true
    if (this.#isPreparing) withdrawUpgrade(this.parts.config.dataDir)
    this.parts.successors.cancel()
  }

  /**
   * Makes busy clients open new connections, so that the stop cuts none of theirs, and stops the parts that clients do not
   * need. Requests are served as before.
   */
  async begin(): Promise<void> {
    const { supervisor, stopsFirst, shutdown } = this.parts
    for (const child of supervisor.children()) child.send({ type: 'last-answers' })
    await Promise.all([stopsFirst.stop(), sleep(LAST_ANSWERS_MS)])
    if (!this.#isCancelled) shutdown.restart(SETTLE_MS, this.#withinMs)
  }
}

import type { Formation } from '../../config/parsers.js'
import { procfileOf } from '../../config/procfile.js'
import { ControlError } from '../../control/protocol.js'
import type { Logger } from '../../process/log.js'
import type { Service } from '../../process/service.js'
import type { ShutdownClock } from '../host/shutdown-clock.js'
import { oncePerTurn } from '../once-per-turn.js'
import { planSides, type SideAction, type SideHistory, type SideLimits } from '../plan/side-plan.js'
import { commandLineOf, type CommandLine } from './command-line.js'
import { SideLog } from './side-log.js'
import { Side } from './side.js'

/** Where the commands of a release run. */
export interface ReleasePlace {
  cwd: string
  /** @param place number of the process among those of its name */
  env(place: number): NodeJS.ProcessEnv
}

export interface SideProcessesOptions {
  /** How many of each run, by name; off: none of any. */
  formation: Formation | 'off'
  /** Undefined: the app is the built-in one, which has none. */
  placeOf(release: string): ReleasePlace | undefined
  /** Path of the named pipe whose end stops them. */
  lifeline: string
  /** How long one that is replaced may take to end, in milliseconds. */
  stopTimeoutMs: number
  shutdown: ShutdownClock
  log: Logger
  /** A line that one has printed. @param name e.g. `worker.1` */
  print(name: string, line: string): void
}

/** Lines that are not supervised processes. */
const OTHER_KINDS = new Set(['web', 'release', 'cron'])
const MAX_KINDS = 32
/** A process does not tell when it is ready, and may load for some seconds before it fails. */
const PROVEN_MS = 10_000

/**
 * The processes that a release wants beside its web, by its Procfile. They are those of the live release alone, and are
 * replaced when another one is live, or a reload has replaced all workers.
 */
export class SideProcesses implements Service {
  readonly #running = new Map<number, Side>()
  readonly #restarts = new Map<string, number>()
  readonly #limits: SideLimits
  readonly #log: SideLog
  readonly #scaled: Map<string, number>
  #commands: ReadonlyMap<string, CommandLine> = new Map()
  #followed: { release: string; generation: number } | undefined
  #version = 0
  #nextId = 1
  #history: SideHistory = new Map()
  #state: 'new' | 'running' | 'stopped' = 'new'
  #shutdown: ReturnType<ShutdownClock['begin']> | undefined
  #wakeUp: NodeJS.Timeout | undefined
  #stopped: Promise<void> | undefined
  #allGone: () => void = () => undefined
  readonly #ask = oncePerTurn(() => {
    if (this.#state === 'running') this.#pass()
  })

  constructor(private readonly options: SideProcessesOptions) {
    const { formation, stopTimeoutMs, log } = options
    this.#scaled = new Map(Object.entries(formation === 'off' ? {} : formation))
    this.#limits = { provenMs: PROVEN_MS, stopTimeoutMs }
    this.#log = new SideLog(log)
  }

  start(): Promise<void> {
    this.#state = 'running'
    this.#ask()
    return Promise.resolve()
  }

  stop(): Promise<void> {
    this.#stopped ??= new Promise<void>(resolve => {
      this.#allGone = resolve
      this.#shutdown = this.options.shutdown.begin()
      this.#pass()
    })
    return this.#stopped
  }

  /** @param generation of the last reload that has replaced all workers */
  follow(release: string, generation: number): void {
    const { formation } = this.options
    if (this.#followed?.release === release && this.#followed.generation === generation) return
    this.#followed = { release, generation }
    this.#version += 1
    const place = formation === 'off' ? undefined : this.options.placeOf(release)
    this.#commands = place === undefined ? new Map() : this.#commandsIn(place.cwd)
    this.#ask()
  }

  /**
   * Changes how many of each run.
   * @returns the counts that are wanted from now on
   * @throws {ControlError} `UNKNOWN_PROCESS`: the Procfile has no process with that name
   */
  scale(counts: Formation): Formation {
    const unknown = Object.keys(counts).find(name => !this.#commands.has(name))
    if (unknown !== undefined) {
      const known = [...this.#commands.keys()].join(', ')
      const message = `The Procfile has no process ${unknown}${known === '' ? '' : `, only ${known}`}.`
      throw new ControlError('UNKNOWN_PROCESS', { message })
    }
    for (const [name, count] of Object.entries(counts)) this.#scaled.set(name, count)
    this.#ask()
    return this.wanted
  }

  /** How many of each are wanted. */
  get wanted(): Formation {
    return Object.fromEntries(this.#counts())
  }

  /** Those that run, in the order of their names. */
  processes(): Side[] {
    const running = [...this.#running.values()].filter(({ state }) => state !== 'exited')
    return running.sort(({ spec: { at: a } }, { spec: { at: b } }) =>
      a.name === b.name ? a.place - b.place : a.name < b.name ? -1 : 1,
    )
  }

  restartsOf({ name }: Side): number {
    return this.#restarts.get(name) ?? 0
  }

  #counts(): Map<string, number> {
    return new Map([...this.#commands.keys()].map(name => [name, this.#scaled.get(name) ?? 1]))
  }

  #commandsIn(folder: string): Map<string, CommandLine> {
    const commands = new Map<string, CommandLine>()
    for (const { name, command } of procfileOf(folder)) {
      if (OTHER_KINDS.has(name) || commands.has(name) || commands.size === MAX_KINDS) continue
      const line = commandLineOf(command)
      if (line === undefined) this.#log.unreadable(name, command)
      else commands.set(name, line)
      if (line?.remark !== undefined) this.#log.remark(name, line.remark)
    }
    return commands
  }

  #pass(): void {
    if (this.#state === 'stopped') return
    const now = performance.now()
    const wanted = this.#state === 'running' ? this.#counts() : new Map<string, number>()
    const desired = { version: this.#version, wanted, ...(this.#shutdown && { shutdown: this.#shutdown }) }
    const observed = [...this.#running.values()].map(process => process.observe())
    const { actions, history } = planSides(desired, observed, this.#history, this.#limits, now)
    this.#history = history
    clearTimeout(this.#wakeUp)
    for (const action of actions) this.#carryOut(action, now)
    if (this.#shutdown === undefined || this.#running.size > 0) return
    this.#state = 'stopped'
    this.#allGone()
  }

  #carryOut(action: SideAction, now: number): void {
    if (action.type === 'start') return this.#startAt(action.at, action.version)
    if (action.type === 'wait') {
      this.#wakeUp = setTimeout(() => this.#ask(), action.until - now + 1)
      return
    }
    const process = this.#running.get(action.id)
    if (process === undefined) return
    // The change may cause further actions.
    this.#ask()
    switch (action.type) {
      case 'stop':
        return process.stop(action.deadlineMs)
      case 'kill':
        this.#log.kills(process)
        return process.kill()
      case 'lose':
        this.#restarts.set(process.name, this.restartsOf(process) + 1)
        return this.#log.lost(process, action.verdict)
      case 'forget':
        this.#running.delete(action.id)
    }
  }

  #startAt(at: Side['spec']['at'], version: number): void {
    const line = this.#commands.get(at.name)
    const { release, generation } = this.#followed ?? { release: '', generation: 0 }
    const place = this.options.placeOf(release)
    if (line === undefined || place === undefined) return
    const { cwd } = place
    const env = { ...place.env(at.place), ...line.env }
    const spec = { at, version, release, generation, words: line.words, cwd, env }
    const process: Side = new Side(this.#nextId++, spec, this.options.lifeline, {
      ended: () => this.#ask(),
      printed: text => this.options.print(process.name, text),
    })
    this.#running.set(process.id, process)
    this.#log.started(process)
  }
}

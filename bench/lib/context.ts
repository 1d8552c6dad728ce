import os from 'node:os'
import type { AppName, Peer, Running, StartOptions } from '../peers/peer.js'
import { peers } from '../peers/index.js'
import { entry } from './entry.js'
import { startRedis, type SharedRedis } from './redis.js'
import type { Goal, LeftOut, Outcome, Skipped } from './report.js'
import { medianRatio } from './stats.js'

/** The peer that the others are compared with. */
export const BASELINE = 'pm2-nginx'

export interface Plan {
  quick: boolean
  rounds: number
  seconds: number
  /** Names of the peers; all of them if undefined. */
  only: string[] | undefined
  /** Size of each upload. */
  uploadBytes: number | undefined
  /** The Node that runs the peers. */
  node: string
}

/** The rounds of each subject. */
export type Samples<T> = ReadonlyMap<string, readonly T[]>

/** The parts that all workloads of a run share: durations, rounds, and the running peers. */
export class Context {
  readonly quick: boolean
  readonly rounds: number
  readonly seconds: number
  readonly uploadBytes: number | undefined
  readonly workers = os.availableParallelism()
  readonly leftOut: LeftOut[] = []
  /** Outcomes so far, by the workload's name. */
  readonly outcomes = new Map<string, Outcome | Skipped>()
  readonly #node: string
  readonly #fleets = new Map<AppName, Map<string, Running>>()
  #peers: Peer[] = []
  #redis: SharedRedis | undefined

  constructor(
    { quick, rounds, seconds, uploadBytes, only, node }: Plan,
    readonly say: (line: string) => void,
  ) {
    this.quick = quick
    this.rounds = rounds
    this.seconds = seconds
    this.uploadBytes = uploadBytes
    this.#node = node
    for (const peer of peers) {
      if (only?.includes(peer.name) === false) continue
      const reason = peer.missing()
      if (reason === undefined) this.#peers.push(peer)
      else this.leaveOut(peer.name, reason)
    }
  }

  /** The peers that can be measured here. */
  get peers(): readonly Peer[] {
    return this.#peers
  }

  /** Outpost itself, in each of its modes. */
  get ours(): readonly Peer[] {
    return this.#peers.filter(({ name }) => name.startsWith('outpost'))
  }

  leaveOut(name: string, reason: string): void {
    this.leftOut.push({ name, reason })
    this.say(`left out: ${name}: ${reason}`)
  }

  async startOptions(more: Partial<StartOptions> = {}): Promise<StartOptions> {
    this.#redis ??= await startRedis()
    return { workers: this.workers, redisUrl: this.#redis.url, node: this.#node, ...more }
  }

  /**
   * Starts all peers. They run over all rounds, so each is warm when its turn comes. Peers that are not in turn do
   * nothing but their own health checks.
   */
  async fleet(app: AppName = 'bench'): Promise<ReadonlyMap<string, Running>> {
    const started = this.#fleets.get(app)
    if (started !== undefined) return started
    await this.stopFleets()
    const fleet = new Map<string, Running>()
    this.#fleets.set(app, fleet)
    for (const peer of [...this.#peers]) {
      try {
        fleet.set(peer.name, await peer.start(await this.startOptions({ app })))
      } catch (error) {
        this.leaveOut(peer.name, (error as Error).message)
        this.#peers = this.#peers.filter(other => other !== peer)
      }
    }
    return fleet
  }

  async stopFleets(): Promise<void> {
    const fleets = [...this.#fleets.values()]
    this.#fleets.clear()
    for (const fleet of fleets) await Promise.all([...fleet.values()].map(running => running.stop()))
  }

  async stop(): Promise<void> {
    await this.stopFleets()
    await this.#redis?.stop()
  }

  /**
   * Measures each subject once per round. Each round begins with another subject, so other work on the machine disturbs
   * all of them alike.
   */
  async alternate<T>(
    subjects: readonly string[],
    measure: (subject: string, round: number) => Promise<T> | T,
    rounds = this.rounds,
  ): Promise<Samples<T>> {
    const samples = new Map<string, T[]>(subjects.map(subject => [subject, []]))
    for (let round = 0; round < rounds; round += 1) {
      const first = round % subjects.length
      for (const subject of [...subjects.slice(first), ...subjects.slice(0, first)]) {
        entry(samples, subject).push(await measure(subject, round))
      }
    }
    return samples
  }

  /** One line of progress. */
  sayRound(round: number, name: string, figures: string): void {
    this.say(`  round ${round + 1}  ${name.padEnd(22)} ${figures}`)
  }
}

/** The modes of Outpost that were measured. */
export function oursIn(samples: Samples<unknown>): string[] {
  return ['outpost', 'outpost-mesh'].filter(name => samples.has(name))
}

/** The median of the rounds' ratios of two subjects; undefined when one of them was not measured. */
export function ratioOf<T>(
  samples: Samples<T>,
  subject: string,
  base: string,
  value: (sample: T) => number,
): number | undefined {
  const ours = samples.get(subject)
  const theirs = samples.get(base)
  if (ours === undefined || theirs === undefined) return undefined
  return medianRatio(ours.map(value), theirs.map(value))
}

/** A goal of the form "at least so many times as much as"; none when one of the two was not measured. */
export function ratioGoal(
  samples: Samples<{ perSecond: number }>,
  subject: string,
  base: string,
  atLeast: number,
): Goal[] {
  const found = ratioOf(samples, subject, base, ({ perSecond }) => perSecond)
  if (found === undefined) return []
  const text = `${subject} at least ${atLeast.toFixed(2)} x ${base}`
  return [{ text, found: `${found.toFixed(2)} x`, reached: found >= atLeast }]
}

/** A goal of the form "costs at most so many times as much as"; none when one of the two was not measured. */
export function costGoal<T>(
  samples: Samples<T>,
  subject: string,
  base: string,
  cost: string,
  value: (sample: T) => number,
  atMost: number,
): Goal[] {
  const found = ratioOf(samples, subject, base, value)
  if (found === undefined) return []
  const text = `${subject}: ${cost} at most ${atMost.toFixed(2)} x ${base}'s`
  return [{ text, found: `${found.toFixed(2)} x`, reached: found <= atMost }]
}

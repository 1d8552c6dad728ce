import os from 'node:os'
import { BASELINE, peers } from '../peers/index.js'
import { median } from './stats.js'
import { startRedis } from './redis.js'

/** What all workloads of a run share: how long, how often, against whom; and the peers while they serve. */
export class Context {
  #redis
  #fleets = new Map()
  /** Outcomes so far, by the workload's name. */
  outcomes = new Map()

  /** @param {{ quick: boolean, rounds: number, seconds: number, uploadBytes?: number, say: (line: string) => void, only?: string[] }} plan */
  constructor({ quick, rounds, seconds, uploadBytes, say, only }) {
    Object.assign(this, { quick, rounds, seconds, uploadBytes, say })
    this.workers = os.availableParallelism()
    this.peers = []
    this.leftOut = []
    for (const peer of peers) {
      if (only !== undefined && !only.includes(peer.name)) continue
      const reason = peer.missing()
      if (reason === undefined) this.peers.push(peer)
      else this.leaveOut(peer.name, reason)
    }
  }

  leaveOut(name, reason) {
    this.leftOut.push({ name, reason })
    this.say(`left out: ${name}: ${reason}`)
  }

  async redisUrl() {
    this.#redis ??= await startRedis()
    return this.#redis.url
  }

  async startOptions(more = {}) {
    return { workers: this.workers, redisUrl: await this.redisUrl(), ...more }
  }

  /**
   * All peers, serving. They stay up over all rounds, so that each is warm when its turn comes; while another has its
   * turn they have nothing to do but their own health checks.
   * @param {'bench' | 'built-in'} app
   * @returns {Promise<Map<string, import('../peers/index.js').Running>>}
   */
  async fleet(app = 'bench') {
    const started = this.#fleets.get(app)
    if (started !== undefined) return started
    await this.stopFleets()
    const fleet = new Map()
    this.#fleets.set(app, fleet)
    for (const peer of [...this.peers]) {
      try {
        fleet.set(peer.name, await peer.start(await this.startOptions({ app })))
      } catch (error) {
        this.leaveOut(peer.name, error.message)
        this.peers = this.peers.filter(other => other !== peer)
      }
    }
    return fleet
  }

  async stopFleets() {
    const fleets = [...this.#fleets.values()]
    this.#fleets.clear()
    for (const fleet of fleets) await Promise.all([...fleet.values()].map(running => running.stop()))
  }

  async stop() {
    await this.stopFleets()
    await this.#redis?.stop()
  }

  /**
   * Measures each subject once a round, in turn, each round beginning with another: whatever else the machine does,
   * it does to all of them.
   * @template T
   * @param {string[]} subjects
   * @param {(subject: string, round: number) => Promise<T>} measure
   * @returns {Promise<Map<string, T[]>>}
   */
  async alternate(subjects, measure, rounds = this.rounds) {
    const samples = new Map(subjects.map(subject => [subject, []]))
    for (let round = 0; round < rounds; round += 1) {
      for (let i = 0; i < subjects.length; i += 1) {
        const subject = subjects[(i + round) % subjects.length]
        samples.get(subject).push(await measure(subject, round))
      }
    }
    return samples
  }
}

/** The middle one of the rounds' ratios of two subjects; undefined when one of them is not there. */
export function ratioOf(samples, subject, base, value) {
  const ours = samples.get(subject)
  const theirs = samples.get(base)
  if (ours === undefined || theirs === undefined) return undefined
  return median(ours.map((sample, round) => value(sample) / value(theirs[round])))
}

/** A goal of the form "at least so many times as much as". */
export function ratioGoal(samples, subject, base, atLeast, value = sample => sample.perSecond) {
  const found = ratioOf(samples, subject, base, value)
  if (found === undefined) return undefined
  return {
    text: `${subject} at least ${atLeast.toFixed(2)} x ${base}`,
    found: `${found.toFixed(2)} x`,
    reached: found >= atLeast,
  }
}

export { BASELINE }

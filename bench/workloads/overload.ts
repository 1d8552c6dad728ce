import { generate, loadAtFullSpeed, type Figures } from '../lib/load.js'
import { median } from '../lib/stats.js'
import { medians, tableOfRounds, type Workload } from './workload.js'

/** A request keeps its worker's core busy for 5 ms; two at once keep it supplied. */
const MAX_IN_FLIGHT = 2
const CONNECTIONS = 256
/** The longest time that a request waits for a place before it is refused. */
const WAIT_MS = 50
const FACTOR = 3

interface Sample {
  most: Figures
  unloaded: Figures
  doubled: Figures
}

/** Twice the load that can be served: accepted requests are still served soon, the rest are answered 503. */
export const overload: Workload = {
  name: 'overload',
  async run(context) {
    const { ours } = context
    if (ours.length === 0) return { skipped: 'Outpost is not among the peers' }
    await context.stopFleets()
    const samples = new Map<string, Sample[]>()
    for (const peer of ours) {
      const options = await context.startOptions({ env: { MAX_IN_FLIGHT: String(MAX_IN_FLIGHT) } })
      const running = await peer.start(options)
      const plan = { origin: running.origin, path: '/busy', seconds: context.quick ? 1 : 5 }
      const rounds: Sample[] = []
      for (let round = 0; round < context.rounds; round += 1) {
        const most = await loadAtFullSpeed({ ...plan, connections: MAX_IN_FLIGHT * context.workers })
        const unloaded = await generate({ ...plan, connections: CONNECTIONS, rate: Math.ceil(most.perSecond * 0.2) })
        const doubled = await generate({ ...plan, connections: CONNECTIONS, rate: Math.ceil(most.perSecond * 2) })
        rounds.push({ most, unloaded, doubled })
        context.sayRound(
          round,
          peer.name,
          `most ${most.perSecond.toFixed(0)}/s  p99 unloaded ` +
            `${unloaded.p99.toFixed(1)} ms, at twice the most ${doubled.p99.toFixed(1)} ms, ` +
            `${doubled.requests} served, ${doubled.failed} refused ${JSON.stringify(doubled.reasons)}`,
        )
      }
      samples.set(peer.name, rounds)
      await running.stop()
    }
    const middle = (rounds: readonly Sample[], value: (sample: Sample) => number): number => median(rounds.map(value))
    return {
      title: `Overload: twice the rate that can be served (5 ms of a core each, MAX_IN_FLIGHT=${MAX_IN_FLIGHT})`,
      table: tableOfRounds(samples, [
        medians('most/s', ({ most }) => most.perSecond),
        medians('served/s at twice', ({ doubled }) => doubled.requests / doubled.seconds),
        medians('p99 ms unloaded', ({ unloaded }) => unloaded.p99, 1),
        medians('p99 ms at twice', ({ doubled }) => doubled.p99, 1),
      ]),
      goals: [...samples].map(([name, rounds]) => {
        const beyond = middle(rounds, each => each.doubled.p99 - WAIT_MS - FACTOR * each.unloaded.p99)
        const found = middle(rounds, each => each.doubled.p99)
        const text = `${name}: p99 of accepted requests at most ${FACTOR} x the unloaded one and ${WAIT_MS} ms`
        return { text, found: `${found.toFixed(1)} ms`, reached: beyond <= 0 }
      }),
      notes: ['Latency is measured from the time when a request was due. Refused requests (503) are not included.'],
      raw: Object.fromEntries(samples),
    }
  },
}

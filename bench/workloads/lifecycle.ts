import { setTimeout as sleep } from 'node:timers/promises'
import { familyOf, residentBytes } from '#scripts/lib/proc.js'
import { oursIn } from '../lib/context.js'
import { entry } from '../lib/entry.js'
import { generate } from '../lib/load.js'
import { numbers } from '../lib/report.js'
import { medians, ranges, tableOfRounds, totals, type Workload } from './workload.js'

const RELOAD_RATE = 200

/** The time from the command to the first 200, and the memory of all processes. */
export const coldStart: Workload = {
  name: 'cold-start',
  async run(context) {
    await context.stopFleets()
    const options = await context.startOptions()
    const peers = new Map(context.peers.map(peer => [peer.name, peer]))
    const samples = await context.alternate([...peers.keys()], async (name, round) => {
      const from = performance.now()
      const running = await entry(peers, name).start(options)
      const ms = performance.now() - from
      const residentMiB = residentBytes(familyOf(running.elders)) / 2 ** 20
      await running.stop()
      context.sayRound(round, name, `${Math.round(ms)} ms, ${Math.round(residentMiB)} MiB resident`)
      return { ms, residentMiB }
    })
    return {
      title: 'Cold start to the first 200',
      table: tableOfRounds(samples, [
        medians('ms (median)', ({ ms }) => ms),
        ranges('min – max', ({ ms }) => ms),
        medians('resident MiB, all its processes', ({ residentMiB }) => residentMiB),
      ]),
      goals: [],
      notes: [],
      raw: Object.fromEntries(samples),
    }
  },
}

/** Replaces all workers while requests come at a steady rate. Peers without such a command are left out. */
export const reloadUnderLoad: Workload = {
  name: 'reload',
  async run(context) {
    const fleet = await context.fleet()
    const able = [...fleet].flatMap(([name, { origin, reload }]) =>
      reload === undefined ? [] : [[name, { origin, reload }] as const],
    )
    if (able.length === 0) return { skipped: 'none of the chosen peers can replace its workers' }
    const reloading = new Map(able)
    const rounds = context.quick ? 1 : 3
    const samples = await context.alternate(
      [...reloading.keys()],
      async (name, round) => {
        const { origin, reload } = entry(reloading, name)
        const seconds = context.quick ? 4 : 12
        const load = generate({ origin, path: '/health', connections: 32, seconds, rate: RELOAD_RATE })
        await sleep(500)
        const from = performance.now()
        await reload()
        const ms = performance.now() - from
        const figures = await load
        context.sayRound(
          round,
          name,
          `${Math.round(ms)} ms, ${figures.failed} of ` +
            `${figures.requests + figures.failed} failed ${JSON.stringify(figures.reasons)}`,
        )
        return { ms, ...figures }
      },
      rounds,
    )
    const lost = (name: string): number => entry(samples, name).reduce((sum, { failed }) => sum + failed, 0)
    return {
      title: `Reload of all workers at ${RELOAD_RATE} requests/s`,
      table: tableOfRounds(samples, [
        medians('ms (median)', ({ ms }) => ms),
        totals('requests', ({ requests }) => requests),
        totals('failed', ({ failed }) => failed),
        medians('p99 ms', ({ p99 }) => p99, 1),
        numbers('longest ms', ({ rounds }) => Math.max(...rounds.map(({ max }) => max))),
      ]),
      goals: oursIn(samples).map(name => ({
        text: `${name} loses none`,
        found: String(lost(name)),
        reached: lost(name) === 0,
      })),
      notes: ['nginx-tuned, haproxy and the bare peers do not start their workers, so they have no reload to measure.'],
      raw: Object.fromEntries(samples),
    }
  },
}

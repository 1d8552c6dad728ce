import { setTimeout as sleep } from 'node:timers/promises'
import { generate } from '../lib/load.js'
import { familyOf, residentBytes } from '../lib/proc.js'
import { median } from '../lib/stats.js'

const RELOAD_RATE = 200

/** From the command to the first 200, processes and all. */
export const coldStart = {
  name: 'cold-start',
  async run(context) {
    await context.stopFleets()
    const options = await context.startOptions()
    const peers = new Map(context.peers.map(peer => [peer.name, peer]))
    const samples = await context.alternate([...peers.keys()], async (name, round) => {
      const from = performance.now()
      const running = await peers.get(name).start(options)
      const ms = performance.now() - from
      const residentMiB = residentBytes(familyOf(running.elders)) / 2 ** 20
      await running.stop()
      context.say(
        `  round ${round + 1}  ${name.padEnd(22)} ${Math.round(ms)} ms, ${Math.round(residentMiB)} MiB resident`,
      )
      return { ms, residentMiB }
    })
    return {
      title: 'Cold start to the first 200',
      columns: [
        { title: 'peer', of: row => row.name },
        {
          title: 'ms (median)',
          right: true,
          of: ({ rounds }) => String(Math.round(median(rounds.map(({ ms }) => ms)))),
        },
        { title: 'min – max', right: true, of: ({ rounds }) => spread(rounds.map(({ ms }) => ms)) },
        {
          title: 'resident MiB, all its processes',
          right: true,
          of: ({ rounds }) => String(Math.round(median(rounds.map(each => each.residentMiB)))),
        },
      ],
      rows: [...samples].map(([name, rounds]) => ({ name, rounds })),
      goals: [],
      notes: [],
      raw: Object.fromEntries(samples),
    }
  },
}

/** All workers replaced by new ones while requests come at a steady rate. Peers without such a command are not asked. */
export const reloadUnderLoad = {
  name: 'reload',
  async run(context) {
    const fleet = await context.fleet()
    const able = [...fleet].filter(([, running]) => running.reload !== undefined)
    if (able.length === 0) return { skipped: 'none of the peers that are here can replace its workers' }
    const reloading = new Map(able)
    const rounds = context.quick ? 1 : 3
    const samples = await context.alternate(
      [...reloading.keys()],
      async (name, round) => {
        const running = reloading.get(name)
        const seconds = context.quick ? 4 : 12
        const load = generate({ origin: running.origin, path: '/health', connections: 32, seconds, rate: RELOAD_RATE })
        await sleep(500)
        const from = performance.now()
        await running.reload()
        const ms = performance.now() - from
        const figures = await load
        context.say(
          `  round ${round + 1}  ${name.padEnd(22)} ${Math.round(ms)} ms, ${figures.failed} of ` +
            `${figures.requests + figures.failed} failed ${JSON.stringify(figures.reasons)}`,
        )
        return { ms, ...figures }
      },
      rounds,
    )
    const lost = name => samples.get(name).reduce((sum, { failed }) => sum + failed, 0)
    return {
      title: `Reload of all workers at ${RELOAD_RATE} requests/s`,
      columns: [
        { title: 'peer', of: row => row.name },
        {
          title: 'ms (median)',
          right: true,
          of: ({ rounds }) => String(Math.round(median(rounds.map(({ ms }) => ms)))),
        },
        {
          title: 'requests',
          right: true,
          of: ({ rounds }) => String(rounds.reduce((sum, each) => sum + each.requests, 0)),
        },
        { title: 'failed', right: true, of: ({ name }) => String(lost(name)) },
        { title: 'p99 ms', right: true, of: ({ rounds }) => median(rounds.map(({ p99 }) => p99)).toFixed(1) },
        { title: 'longest ms', right: true, of: ({ rounds }) => Math.max(...rounds.map(({ max }) => max)).toFixed(0) },
      ],
      rows: [...samples].map(([name, rounds]) => ({ name, rounds })),
      goals: ['outpost', 'outpost-mesh']
        .filter(name => samples.has(name))
        .map(name => ({ text: `${name} loses none`, found: String(lost(name)), reached: lost(name) === 0 })),
      notes: ['nginx-tuned, haproxy and the bare ones do not run their workers: there is nothing of theirs to reload.'],
      raw: Object.fromEntries(samples),
    }
  },
}

function spread(values) {
  return `${Math.round(Math.min(...values))} – ${Math.round(Math.max(...values))}`
}

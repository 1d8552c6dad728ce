import { setTimeout as sleep } from 'node:timers/promises'
import { familyOf, proportionalBytes, residentBytes } from '#scripts/lib/proc.js'
import { costGoal, oursIn, type Samples } from '../lib/context.js'
import { entry } from '../lib/entry.js'
import { loadAtFullSpeed } from '../lib/load.js'
import type { Goal } from '../lib/report.js'
import { medians, tableOfRounds, type Workload } from './workload.js'

const ROUNDS_AT_MOST = 3
/** Heaps shrink some seconds after a load has ended. */
const SETTLE_MS = 10_000
/** How many times the memory of a peer Outpost may take. */
const AT_MOST = { 'pm2-nginx': 1, watt: 0.8 } as const

/** In MiB, of all processes of a peer. */
interface Sample {
  proportional: number
  resident: number
}

/** The memory of all processes after a load, at rest. */
export const memory: Workload = {
  name: 'memory',
  async run(context) {
    await context.stopFleets()
    // Nothing of what Outpost could embed is used, and the others would not start it.
    const options = await context.startOptions({ env: { EMBED: 'none' } })
    const peers = new Map(context.peers.map(peer => [peer.name, peer]))
    const measure = async (name: string, round: number): Promise<Sample> => {
      const running = await entry(peers, name).start(options)
      try {
        await loadAtFullSpeed({
          origin: running.origin,
          path: '/health',
          connections: 64,
          seconds: context.quick ? 0.3 : 3,
        })
        await sleep(SETTLE_MS)
        const family = familyOf(running.elders)
        const sample = {
          proportional: mebibytes(proportionalBytes(family)),
          resident: mebibytes(residentBytes(family)),
        }
        context.sayRound(round, name, `${Math.round(sample.proportional)} MiB in ${family.length} processes`)
        return sample
      } finally {
        await running.stop()
      }
    }
    const samples = await context.alternate([...peers.keys()], measure, Math.min(context.rounds, ROUNDS_AT_MOST))
    return {
      title: 'Memory of all processes at rest, after a load',
      table: tableOfRounds(samples, [
        medians('MiB (PSS)', ({ proportional }) => proportional),
        medians('MiB resident', ({ resident }) => resident),
      ]),
      goals: oursIn(samples).flatMap(name => goalsOf(samples, name)),
      notes: [
        `As many workers of the same app for each as there are cores. PSS counts a page that processes share once.`,
      ],
      raw: Object.fromEntries(samples),
    }
  },
}

function goalsOf(samples: Samples<Sample>, subject: string): Goal[] {
  return Object.entries(AT_MOST).flatMap(([base, atMost]) =>
    costGoal(samples, subject, base, 'memory', ({ proportional }) => proportional, atMost),
  )
}

function mebibytes(bytes: number): number {
  return bytes / 2 ** 20
}

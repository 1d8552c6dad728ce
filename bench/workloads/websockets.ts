import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import * as z from 'zod'
import { familyOf, hardOpenFilesLimit, residentBytes } from '#scripts/lib/proc.js'
import { oursIn, type Samples } from '../lib/context.js'
import { entry } from '../lib/entry.js'
import { freePort } from '#scripts/lib/free-port.js'
import { script } from '../lib/paths.js'
import { asLastResort, start } from '../lib/processes.js'
import { numbers, tableOf, type Goal } from '../lib/report.js'
import { median } from '../lib/stats.js'
import type { Running, StartOptions } from '../peers/peer.js'
import { servingAt } from '../peers/serve.js'
import type { Workload } from './workload.js'

const WANTED = 10_000
const AT_ONCE = 100
const BARE = 'bare Socket.IO'
const BROADCASTS = 5
/** How many times the memory of bare Socket.IO a connection may take. */
const MEMORY_AT_MOST = 1.5
/** Open files of a process besides its sockets, with a margin. */
const OTHER_FILES = 500
const SETTLE_MS = 2_000

type Starter = () => Promise<Running>

interface Sample {
  /** Connections that received the last message, or are still open. */
  held: number
  kibPerSocket: number
  broadcastMs: number
}

type Middle = (name: string, key: keyof Sample) => number

/** The line that lib/websockets.ts prints after each message. */
const broadcastSchema = z.object({ open: z.number(), heard: z.number(), ms: z.number() })

/** Many connections that do nothing: the memory of each, and the time in which one message reaches them all. */
export const websockets: Workload = {
  name: 'websockets',
  async run(context) {
    await context.stopFleets()
    const count = context.quick ? 200 : Math.min(WANTED, hardOpenFilesLimit() - OTHER_FILES)
    const starters = new Map<string, Starter>([[BARE, async () => startBare(await context.startOptions())]])
    const balancers = Math.ceil((2 * count + OTHER_FILES) / hardOpenFilesLimit())
    for (const peer of context.ours) {
      const env: Record<string, string> = peer.name === 'outpost' ? { BALANCERS: String(balancers) } : {}
      starters.set(peer.name, async () => peer.start(await context.startOptions({ app: 'built-in', env })))
    }
    const measure = async (name: string, round: number): Promise<Sample> => {
      const figures = await hold(entry(starters, name), count)
      context.sayRound(
        round,
        name,
        `${figures.held} of ${count} held, ${figures.kibPerSocket.toFixed(1)} KiB each, ` +
          `all hear a message within ${figures.broadcastMs.toFixed(0)} ms`,
      )
      return figures
    }
    const samples = await context.alternate([...starters.keys()], measure, Math.min(context.rounds, 3))
    const middle: Middle = (name, key) => median(entry(samples, name).map(each => each[key]))
    return {
      title: `${count.toLocaleString('en')} idle Socket.IO connections (WebSocket)`,
      table: tableOf<string>(
        [
          { title: 'by', of: name => name },
          numbers('held', name => least(samples, name)),
          numbers('KiB a connection, all processes', name => middle(name, 'kibPerSocket'), 1),
          numbers(`x ${BARE}`, name => share(middle, name), 2),
          numbers('one message to all, ms', name => middle(name, 'broadcastMs')),
        ],
        [...samples.keys()],
      ),
      goals: oursIn(samples).flatMap(name => goalsOf(samples, middle, name, count)),
      notes: notesOf(count, balancers, context.quick),
      raw: Object.fromEntries(samples),
    }
  },
}

function least(samples: Samples<Sample>, name: string): number {
  return Math.min(...entry(samples, name).map(({ held }) => held))
}

function share(middle: Middle, name: string): number {
  return middle(name, 'kibPerSocket') / middle(BARE, 'kibPerSocket')
}

function goalsOf(samples: Samples<Sample>, middle: Middle, name: string, count: number): Goal[] {
  const held = least(samples, name)
  const memory = share(middle, name)
  const broadcast = middle(name, 'broadcastMs')
  return [
    { text: `${name}: all held`, found: `${held} of ${count}`, reached: held === count },
    {
      text: `${name}: memory at most ${MEMORY_AT_MOST} x ${BARE}`,
      found: `${memory.toFixed(2)} x`,
      reached: memory <= MEMORY_AT_MOST,
    },
    {
      text: `${name}: one message reaches all within 1 s`,
      found: `${broadcast.toFixed(0)} ms`,
      reached: broadcast < 1_000,
    },
  ]
}

async function hold(starter: Starter, count: number): Promise<Sample> {
  const running = await starter()
  const plan = { origin: running.origin, count, atOnce: AT_ONCE }
  const clients = spawn(process.execPath, [script('lib/websockets.js'), JSON.stringify(plan)], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  const forget = asLastResort(() => clients.kill('SIGKILL'))
  try {
    const lines = createInterface({ input: clients.stdout })[Symbol.asyncIterator]()
    const next = async (): Promise<unknown> => {
      const { value } = (await lines.next()) as { value: string }
      return JSON.parse(value)
    }
    const before = residentBytes(familyOf(running.elders))
    await next()
    await sleep(SETTLE_MS)
    const grew = residentBytes(familyOf(running.elders)) - before
    const broadcasts: Array<z.infer<typeof broadcastSchema>> = []
    for (let i = 0; i < BROADCASTS; i += 1) {
      clients.stdin.write('say\n')
      broadcasts.push(broadcastSchema.parse(await next()))
    }
    const { open = 0, heard = 0 } = broadcasts.at(-1) ?? {}
    return {
      held: Math.min(open, heard),
      kibPerSocket: grew / 1024 / Math.max(open, 1),
      broadcastMs: median(broadcasts.map(({ ms }) => ms)),
    }
  } finally {
    clients.kill('SIGKILL')
    forget()
    await running.stop()
  }
}

async function startBare({ node }: StartOptions): Promise<Running> {
  const port = await freePort()
  return servingAt(port, start('bare-socket-io', node, [script('servers/bare-socket-io.js')], { PORT: String(port) }))
}

/** A balancer holds two files for a connection: one to the client, one to the worker. */
function notesOf(count: number, balancers: number, quick: boolean): string[] {
  const limit = `A process may open ${hardOpenFilesLimit()} files on this machine`
  return [
    ...(balancers > 1
      ? [`${limit}, and a balancer needs two for each connection, so outpost runs ${balancers} balancers.`]
      : []),
    ...(count < WANTED && !quick ? [`${limit}, so there were ${count} connections in place of ${WANTED}.`] : []),
  ]
}

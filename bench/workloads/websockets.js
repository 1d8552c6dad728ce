import { spawn } from 'node:child_process'
import fs from 'node:fs'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { freePort, untilServing } from '../lib/net.js'
import { asLastResort, start, stop } from '../lib/processes.js'
import { familyOf, residentBytes } from '../lib/proc.js'
import { median } from '../lib/stats.js'

const WANTED = 10_000
const AT_ONCE = 100
const BARE = 'bare Socket.IO'
const BROADCASTS = 5
/** Files that a process has open besides its sockets, and some to spare. */
const OTHER_FILES = 500
const SETTLE_MS = 2_000

const script = name => fileURLToPath(new URL(name, import.meta.url))

/** Many connections that do nothing: what does each cost, and how long does one message take to reach them all? */
export const websockets = {
  name: 'websockets',
  async run(context) {
    await context.stopFleets()
    const count = context.quick ? 200 : Math.min(WANTED, openFilesLimit() - OTHER_FILES)
    const starters = new Map([[BARE, startBare]])
    const balancers = Math.ceil((2 * count + OTHER_FILES) / openFilesLimit())
    for (const peer of context.peers.filter(({ name }) => name.startsWith('outpost'))) {
      const env = peer.name === 'outpost' ? { BALANCERS: String(balancers) } : {}
      starters.set(peer.name, async () => peer.start(await context.startOptions({ app: 'built-in', env })))
    }
    const measure = async (name, round) => {
      const figures = await hold(starters.get(name), count)
      context.say(
        `  round ${round + 1}  ${name.padEnd(22)} ${figures.held} of ${count} held, ${figures.kibPerSocket.toFixed(1)} KiB each, ` +
          `all hear a message within ${figures.broadcastMs.toFixed(0)} ms`,
      )
      return figures
    }
    const samples = await context.alternate([...starters.keys()], measure, Math.min(context.rounds, 3))
    const middle = (name, key) => median(samples.get(name).map(each => each[key]))
    return {
      title: `${count.toLocaleString('en')} idle Socket.IO connections (WebSocket)`,
      columns: [
        { title: 'by', of: name => name },
        { title: 'held', right: true, of: name => String(Math.min(...samples.get(name).map(({ held }) => held))) },
        { title: 'KiB a connection, all processes', right: true, of: name => middle(name, 'kibPerSocket').toFixed(1) },
        { title: `x ${BARE}`, right: true, of: name => share(middle, name).toFixed(2) },
        { title: 'one message to all, ms', right: true, of: name => middle(name, 'broadcastMs').toFixed(0) },
      ],
      rows: [...samples.keys()],
      goals: ['outpost', 'outpost-mesh']
        .filter(name => samples.has(name))
        .flatMap(name => goalsOf(samples, middle, name, count)),
      notes: notesOf(count, balancers, context.quick),
      raw: Object.fromEntries(samples),
    }
  },
}

function share(middle, name) {
  return middle(name, 'kibPerSocket') / middle(BARE, 'kibPerSocket')
}

function goalsOf(samples, middle, name, count) {
  const held = Math.min(...samples.get(name).map(each => each.held))
  const memory = share(middle, name)
  const broadcast = middle(name, 'broadcastMs')
  return [
    { text: `${name}: all held`, found: `${held} of ${count}`, reached: held === count },
    { text: `${name}: memory at most 1.20 x ${BARE}`, found: `${memory.toFixed(2)} x`, reached: memory <= 1.2 },
    {
      text: `${name}: one message reaches all within 1 s`,
      found: `${broadcast.toFixed(0)} ms`,
      reached: broadcast < 1_000,
    },
  ]
}

async function hold(starter, count) {
  const running = await starter()
  const plan = { origin: running.origin, count, atOnce: AT_ONCE }
  const clients = spawn(process.execPath, [script('../lib/websockets.js'), JSON.stringify(plan)], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  const forget = asLastResort(() => clients.kill('SIGKILL'))
  try {
    const lines = createInterface({ input: clients.stdout })[Symbol.asyncIterator]()
    const next = async () => JSON.parse((await lines.next()).value)
    const before = residentBytes(familyOf(running.elders))
    await next()
    await sleep(SETTLE_MS)
    const grew = residentBytes(familyOf(running.elders)) - before
    const broadcasts = []
    for (let i = 0; i < BROADCASTS; i += 1) {
      clients.stdin.write('say\n')
      broadcasts.push(await next())
    }
    const { open, heard } = broadcasts.at(-1)
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

async function startBare() {
  const port = await freePort()
  const child = start('bare-socket-io', process.execPath, [script('../servers/bare-socket-io.js')], {
    env: { PORT: String(port) },
  })
  const origin = `http://127.0.0.1:${port}`
  await untilServing(origin, child)
  return { origin, elders: [child.pid], stop: () => stop(child) }
}

function openFilesLimit() {
  return Number(/^Max open files\s+\d+\s+(\d+)/m.exec(fs.readFileSync('/proc/self/limits', 'utf8'))?.[1] ?? 4_096)
}

/** A balancer holds two files for a connection: one to the client, one to the worker. */
function notesOf(count, balancers, quick) {
  const limit = `This machine lets a process open ${openFilesLimit()} files`
  return [
    ...(balancers > 1
      ? [`${limit}, and a balancer needs two for a connection: outpost runs ${balancers} of them.`]
      : []),
    ...(count < WANTED && !quick ? [`${limit}: so many connections and not ${WANTED}.`] : []),
  ]
}

import net from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { readProc, residentBytes } from '#scripts/lib/proc.js'
import { Cluster } from '../helpers/cluster.js'
import { fixture } from '../helpers/fixtures.js'
import { PoliteClient, sawOf, type Through } from '../helpers/polite-client.js'
import { requestBytes } from '../helpers/raw-http.js'
import { frame, TEXT, UPGRADE_HEADERS } from '../helpers/websocket.js'
import { MODES } from '../helpers/modes.js'

/** Each attack comes from 127.0.0.2 and up, and is held as long. */
const HELD_MS = 10_000
/** How often something is sent that goes on. */
const TRICKLE_MS = 1_000
/** When a connection that was closed is replaced by another. */
const REOPEN_MS = 5_000
/** Connections are opened a few at a time: a flood of SYNs is the kernel's, and delays bare Node as well. */
const OPENED_AT_ONCE = 25
const OPENING_PAUSE_MS = 50
const MEGABYTE = 1024 ** 2

/** All requests come from here, with their clients in X-Forwarded-For, where this is the trusted proxy. */
const PROXY = '127.0.0.100'
const TRUST = { 'TRUST_PROXY off': '0', 'TRUST_PROXY=1': '1', 'all behind a proxy': PROXY }

/** Connections of one client that attacks. A connection that was closed is opened again at once, or stays closed. */
class Attacker {
  readonly #sockets = new Set<net.Socket>()
  #over = false

  constructor(
    private readonly port: number,
    private readonly client: string,
    /** The proxy that it is behind. */
    private readonly proxy?: string,
  ) {}

  /** The bytes of requests, in which a proxy names the client. */
  named(bytes: string): string {
    const line = ` HTTP/1.1\r\n`
    return this.proxy === undefined ? bytes : bytes.replaceAll(line, `${line}X-Forwarded-For: ${this.client}\r\n`)
  }

  /** @param reopens a connection that was closed is replaced by another */
  async open(count: number, begin: (socket: net.Socket) => void, reopens: boolean | 'at once' = false): Promise<void> {
    for (let i = 0; i < count; i += 1) {
      this.#open(begin, reopens)
      if (i % OPENED_AT_ONCE === OPENED_AT_ONCE - 1) await sleep(OPENING_PAUSE_MS)
    }
  }

  get size(): number {
    return this.#sockets.size
  }

  /** Sends a byte on every connection. */
  trickle(): void {
    for (const socket of this.#sockets) if (socket.writable) socket.write('x')
  }

  stop(): void {
    this.#over = true
    for (const socket of this.#sockets) socket.destroy()
  }

  #open(begin: (socket: net.Socket) => void, reopens: boolean | 'at once'): void {
    if (this.#over) return
    const socket = net.connect({ port: this.port, host: '127.0.0.1', localAddress: this.proxy ?? this.client })
    this.#sockets.add(socket)
    socket.on('error', () => undefined)
    socket.once('connect', () => begin(socket))
    socket.once('close', () => {
      this.#sockets.delete(socket)
      if (reopens !== false) setTimeout(() => this.#open(begin, reopens), reopens === 'at once' ? 0 : REOPEN_MS)
    })
  }
}

interface Attack {
  name: string
  env?: Record<string, string>
  openFiles?: number
  attackers?: number
  /** Called once for each attacker, in turn. */
  begin(attacker: Attacker): Promise<void>
  /** The most memory that the attack may cost: all balancing processes together, and the system's for TCP. */
  mostMemory?: number
  mostInSystem?: number
  /** An answer that an app ends in one call, and its connection with it, is not held in mesh mode. */
  isLetGoInMeshMode?: boolean
}

/** Connections in all. */
const FEW = { MAX_SOCKETS: '300' }
const numbered = (name: string, count: number): string[] => Array.from({ length: count }, (_, i) => `${name}${100 + i}`)
const NAMES = requestBytes('GET /', [
  `Connection: ${numbered('g', 1_500).join()}`,
  ...numbered('h', 900).map(name => `${name}:`),
])
const REFUSED = requestBytes('GET http://other/')
const SLOW_BODY = requestBytes('POST /form', ['Content-Length: 100000'])
const HELD_BODY = requestBytes('POST /form', ['Idempotency-Key: 1', 'Content-Length: 65536'])
const HANGING_POST = requestBytes('POST /poll', [], 'a body')
const CHUNKED = requestBytes('POST /form', ['Transfer-Encoding: chunked'])
const CHUNKS = '1\r\n1\r\n'.repeat(30_000) + '0\r\n\r\n'
const OBJECT = JSON.stringify(Object.fromEntries(numbered('a key ', 7_000).map((key, i) => [key, i])))
const PARSED = {
  'JSON with 7,000 keys': requestBytes('POST /json', [], OBJECT),
  'JSON with 50,000 nested arrays': requestBytes('POST /json', [], '['.repeat(50_000) + ']'.repeat(50_000)),
}
const WORK = requestBytes('GET /work')
const RENDER = requestBytes('GET /render')
const LINE_BREAKS = Buffer.alloc(64 * 1024, '\r\n')
const MESSAGES = Buffer.concat(Array<Buffer>(5_000).fill(frame('hello', { masked: true, opcode: TEXT })))
const PIPELINED = requestBytes('GET /', [`X-Filler: ${'x'.repeat(8_000)}`])
const AHEAD = requestBytes('GET /').repeat(200)

/** Sends one request after the other. */
function again(attacker: Attacker, request: string): (socket: net.Socket) => void {
  const bytes = attacker.named(request)
  return socket => void socket.on('data', () => socket.write(bytes)).write(bytes)
}

/** Sends a request when the answer to the last has ended with this. */
function afterAnswer(attacker: Attacker, request: string, end: string): (socket: net.Socket) => void {
  const bytes = attacker.named(request)
  return socket => void socket.on('data', piece => piece.includes(end) && socket.write(bytes)).write(bytes)
}

/** Sends the same as fast as it goes. */
function pour(bytes: Buffer): (socket: net.Socket) => void {
  return socket => {
    const send = (): void => {
      while (socket.writable && socket.write(bytes));
    }
    socket.resume().on('drain', send)
    send()
  }
}

/** Sends messages without an end, and reads no slower than it is answered. */
function flood(attacker: Attacker): (socket: net.Socket) => void {
  const send = (socket: net.Socket): void => {
    while (socket.writable && socket.write(MESSAGES));
  }
  return socket => {
    socket.on('drain', () => send(socket)).once('data', () => send(socket.resume()))
    socket.write(attacker.named(requestBytes('GET /messages', UPGRADE_HEADERS)))
  }
}

/** Two processes in mesh mode, each with its own bound, and the attacker's side of each connection. */
const IN_SYSTEM = 2 * 256 * MEGABYTE + 640 * (MEGABYTE / 4)

const attacks: Attack[] = [
  {
    name: '600 slow bodies of one client',
    begin: attacker => attacker.open(600, socket => socket.resume().write(attacker.named(SLOW_BODY)), true),
  },
  {
    name: '300 slow bodies of each of eight clients, one after the other',
    attackers: 8,
    begin: attacker => attacker.open(300, socket => socket.resume().write(attacker.named(SLOW_BODY)), true),
  },
  {
    name: '600 long polls of one client',
    begin: attacker =>
      attacker.open(600, socket => socket.resume().write(attacker.named(requestBytes('GET /poll'))), true),
  },
  {
    name: '300 long polls of each of ten clients, one after the other',
    attackers: 10,
    begin: attacker =>
      attacker.open(300, socket => socket.resume().write(attacker.named(requestBytes('GET /poll'))), true),
  },
  {
    name: '300 POSTs that hang of each of ten clients, one after the other',
    attackers: 10,
    begin: attacker => attacker.open(300, socket => socket.resume().write(attacker.named(HANGING_POST)), true),
  },
  {
    name: '300 streams of each of ten clients, one after the other, where 300 connections may be open',
    env: FEW,
    attackers: 10,
    begin: attacker =>
      attacker.open(300, socket => socket.resume().write(attacker.named(requestBytes('GET /stream'))), true),
  },
  {
    name: '300 upgraded connections of each of ten clients, one after the other, where 300 may be open',
    env: FEW,
    attackers: 10,
    begin: attacker =>
      attacker.open(300, socket => socket.resume().write(attacker.named(requestBytes('GET /', UPGRADE_HEADERS))), true),
  },
  {
    name: '640 unread downloads',
    begin: attacker =>
      attacker.open(640, socket => socket.pause().write(attacker.named(requestBytes('GET /large'))), true),
    mostInSystem: IN_SYSTEM,
  },
  {
    name: '600 unread answers whose connections are closed',
    begin: attacker =>
      attacker.open(600, socket =>
        socket.pause().write(attacker.named(requestBytes('GET /medium', ['Connection: close']))),
      ),
    mostInSystem: IN_SYSTEM,
    isLetGoInMeshMode: true,
  },
  {
    name: '300 idle connections where 300 may be open',
    env: { MAX_SOCKETS: '300' },
    begin: attacker => attacker.open(300, socket => socket.resume(), true),
  },
  {
    name: '600 idle connections where 500 files may be open',
    openFiles: 500,
    begin: attacker => attacker.open(600, socket => socket.resume(), true),
  },
  {
    name: '10 connections with 1,000 pipelined requests each behind a long poll',
    begin: attacker =>
      attacker.open(10, socket =>
        socket.resume().write(attacker.named(requestBytes('GET /poll') + PIPELINED.repeat(1_000))),
      ),
    mostMemory: 60 * MEGABYTE,
  },
  {
    name: '20 connections with 3,000 refused requests each behind a long poll',
    begin: attacker =>
      attacker.open(
        20,
        socket => socket.resume().write(attacker.named(requestBytes('GET /poll') + REFUSED.repeat(3_000))),
        true,
      ),
    mostMemory: 100 * MEGABYTE,
  },
  {
    name: '10 connections with requests sent ahead without an end, each opened again as soon as it is cut',
    begin: attacker => attacker.open(10, pour(Buffer.from(attacker.named(AHEAD))), 'at once'),
    mostMemory: 150 * MEGABYTE,
  },
  {
    name: '200 connections that are reset as soon as they are open, and opened again, where 2,000 files may be open',
    openFiles: 2_000,
    begin: attacker => attacker.open(200, socket => socket.resetAndDestroy(), 'at once'),
  },
  {
    name: '20 connections whose requests name thousands of headers',
    begin: attacker => attacker.open(20, again(attacker, NAMES)),
  },
  {
    name: '1,000 bodies that are held until they are complete',
    begin: attacker =>
      attacker.open(1_000, socket => socket.resume().write(attacker.named(HELD_BODY) + 'x'.repeat(60_000))),
    mostMemory: 150 * MEGABYTE,
  },
  {
    name: '100 connections whose bodies have 30,000 chunks of one byte each',
    begin: attacker =>
      attacker.open(
        100,
        socket => {
          const bytes = attacker.named(CHUNKED) + CHUNKS
          socket.on('data', () => socket.write(bytes)).write(bytes)
        },
        true,
      ),
    mostMemory: 150 * MEGABYTE,
  },
  ...Object.entries(PARSED).map(([name, bytes]): Attack => ({
    name: `100 connections whose bodies are ${name}`,
    begin: attacker => attacker.open(100, again(attacker, bytes), true),
  })),
  {
    name: '100 connections whose requests take the app 5 ms each',
    begin: attacker => attacker.open(100, again(attacker, WORK), true),
  },
  {
    name: '50 connections whose answers the app renders in ten pieces of 5 ms each',
    begin: attacker => attacker.open(50, afterAnswer(attacker, RENDER, 'rendered'), true),
  },
  {
    name: '50 connections that send line breaks alone',
    begin: attacker => attacker.open(50, pour(LINE_BREAKS), true),
  },
  {
    name: '50 WebSockets with messages as fast as they go, to an app that answers each',
    begin: attacker => attacker.open(50, flood(attacker), true),
  },
]

function balancing(cluster: Cluster, BALANCERS: string): number {
  return residentBytes(cluster.pids(BALANCERS === '0' ? 'worker' : 'balancer'))
}

/** The memory that the system has for TCP, in bytes. */
function inSystem(): number {
  return Number(/^TCP: .* mem (\d+)/m.exec(readProc('net/sockstat'))?.[1]) * 4_096
}

async function withstands(t: Test, attack: Attack, BALANCERS: string, TRUST_PROXY: string): Promise<void> {
  const env = { APP: fixture('patient-app.js'), BALANCERS, TRUST_PROXY, ...attack.env }
  const cluster = await Cluster.start(t, env, attack.openFiles)
  const pids = [...cluster.pids('balancer'), ...cluster.pids('worker')]
  const proxy = TRUST_PROXY === PROXY ? PROXY : undefined
  const through: Through | undefined = proxy === undefined ? undefined : { proxy, client: '127.0.0.1' }
  const alone = await PoliteClient.alone(t, `${cluster.url}/health`, through)
  const before = { balancing: balancing(cluster, BALANCERS), system: inSystem() }
  const attackers: Attacker[] = []
  for (let i = 0; i < (attack.attackers ?? 1); i += 1) {
    const attacker = new Attacker(cluster.port, `127.0.0.${2 + i}`, proxy)
    attackers.push(attacker)
    await attack.begin(attacker)
  }
  await sleep(TRICKLE_MS)
  const polite = new PoliteClient(t, `${cluster.url}/health`, through)
  for (let held = 0; held < HELD_MS; held += TRICKLE_MS) {
    await sleep(TRICKLE_MS)
    for (const attacker of attackers) if (attack.name.includes('slow bodies')) attacker.trickle()
  }
  const saw = await polite.stop()
  const memory = balancing(cluster, BALANCERS) - before.balancing
  const system = inSystem() - before.system
  const open = attackers.reduce((sum, { size }) => sum + size, 0)
  for (const attacker of attackers) attacker.stop()
  const megabytes = [memory, system].map(bytes => Math.round(bytes / MEGABYTE))
  t.comment(
    `${sawOf(saw, alone)}; ${open} connections of the attack are open, ` +
      `+${megabytes[0]} MB in the balancing processes, +${megabytes[1]} MB in the system`,
  )
  t.ok(saw.answered > 20, `${saw.answered} requests`)
  t.equal(saw.lost, 0)
  if (attack.mostMemory !== undefined) t.ok(memory < attack.mostMemory)
  // To a trusted proxy, which every client is here or is behind, as much is sent as it reads.
  const isLetGo = TRUST_PROXY !== '0' || (BALANCERS === '0' && attack.isLetGoInMeshMode === true)
  if (attack.mostInSystem !== undefined && !isLetGo) t.ok(system < attack.mostInSystem)
  t.strictSame([...cluster.pids('balancer'), ...cluster.pids('worker')], pids, 'no process was lost')
  t.match(await cluster.stop(), { code: 0 })
}

for (const attack of attacks) {
  for (const [mode, BALANCERS] of Object.entries(MODES)) {
    for (const [trust, TRUST_PROXY] of Object.entries(TRUST)) {
      void t.test(`${attack.name} cost nobody else anything, in ${mode} with ${trust}`, async t => {
        await withstands(t, attack, BALANCERS, TRUST_PROXY)
      })
    }
  }
}

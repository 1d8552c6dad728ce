/**
 * The bench's own load generator, one process: `node generator.js '{"origin":…,"path":…,"connections":…,"seconds":…}'`.
 * With `rate` (requests a second) requests leave on a schedule and latency counts from when they were due; without,
 * each connection sends as soon as it may. Raw sockets, since Node's own client would use more of the machine than
 * many a server it is pointed at.
 */
import net from 'node:net'
import { performance } from 'node:perf_hooks'
import type { Figures, LoadPlan } from './load.js'

const plan = JSON.parse(process.argv[2] ?? '') as LoadPlan
const { origin, path, method = 'GET', headers = {}, bodyBytes = 0, connections, seconds, rate } = plan
const body = plan.body ?? 'a'.repeat(bodyBytes)
const { hostname, port } = new URL(origin)
const message = requestText()

const latencies: number[] = []
let failed = 0
const reasons: Record<string, number> = {}
const idle: Connection[] = []
const startedAt = performance.now()
const endsAt = startedAt + seconds * 1_000
/** The due times of requests for which no connection was free. */
const overdue: number[] = []
let scheduled = 0
let inFlight = 0

class Connection {
  #socket: net.Socket
  #received = ''
  /** The due time of the request in flight. */
  #dueAt: number | undefined

  constructor() {
    this.#socket = this.#connect()
  }

  #connect(): net.Socket {
    this.#received = ''
    const socket = net.connect(Number(port), hostname, () => free(this))
    socket.setNoDelay(true).setEncoding('latin1')
    socket.on('data', text => this.#receive(String(text)))
    socket.on('error', () => undefined)
    socket.once('close', () => this.#closed())
    return socket
  }

  send(dueAt: number): void {
    this.#dueAt = dueAt
    inFlight += 1
    this.#socket.write(message)
  }

  #receive(text: string): void {
    this.#received += text
    const end = endOfAnswer(this.#received)
    if (end < 0) return
    const answer = this.#received
    this.#received = answer.slice(end)
    const status = answer.slice(9, 12)
    this.#done(status.startsWith('2') ? undefined : status)
    if (!/\r\nconnection: close\r\n/i.test(answer.slice(0, end))) free(this)
  }

  #done(reason: string | undefined): void {
    if (reason === undefined) latencies.push(performance.now() - (this.#dueAt ?? 0))
    else {
      failed += 1
      reasons[reason] = (reasons[reason] ?? 0) + 1
    }
    this.#dueAt = undefined
    inFlight -= 1
  }

  #closed(): void {
    const at = idle.indexOf(this)
    if (at >= 0) idle.splice(at, 1)
    if (this.#dueAt !== undefined) this.#done('connection broken')
    if (performance.now() < endsAt) setTimeout(() => (this.#socket = this.#connect()), 1)
  }
}

function free(connection: Connection): void {
  const now = performance.now()
  if (rate === undefined) {
    if (now < endsAt) connection.send(now)
    return
  }
  const dueAt = overdue.shift()
  if (dueAt === undefined) idle.push(connection)
  else connection.send(dueAt)
}

/** Sends all requests that are due. Node's timers have a resolution of 1 ms, which affects every peer alike. */
function tick(perSecond: number): void {
  const now = performance.now()
  const due = Math.floor(((Math.min(now, endsAt) - startedAt) / 1_000) * perSecond)
  for (; scheduled < due; scheduled += 1) {
    const dueAt = startedAt + (scheduled / perSecond) * 1_000
    const connection = idle.shift()
    if (connection === undefined) overdue.push(dueAt)
    else connection.send(dueAt)
  }
  if (now < endsAt) setTimeout(() => tick(perSecond), 1)
}

/** Offset right after the first whole answer in `text`; -1 when there is none yet. */
function endOfAnswer(text: string): number {
  const head = text.indexOf('\r\n\r\n')
  if (head < 0) return -1
  const length = /\r\ncontent-length: *(\d+)/i.exec(text.slice(0, head + 2))
  if (length !== null) {
    const end = head + 4 + Number(length[1])
    return text.length >= end ? end : -1
  }
  if (!/\r\ntransfer-encoding: *chunked/i.test(text.slice(0, head + 2))) return head + 4
  const last = text.indexOf('0\r\n\r\n', head + 4)
  return last < 0 ? -1 : last + 5
}

function requestText(): string {
  const lines = Object.entries({ host: `${hostname}:${port}`, ...headers }).map(([name, value]) => `${name}: ${value}`)
  if (body !== '') lines.push(`content-length: ${Buffer.byteLength(body)}`)
  return `${method} ${path} HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n${body}`
}

function report(): void {
  const passed = (performance.now() - startedAt) / 1_000
  // Requests that have no answer yet were also due.
  const unanswered = rate === undefined ? 0 : overdue.length + inFlight
  if (unanswered > 0) reasons['no answer yet'] = unanswered
  const sorted = Float64Array.from(latencies).sort()
  const at = (share: number): number => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0
  const figures: Figures = {
    requests: latencies.length,
    failed: failed + unanswered,
    reasons,
    seconds: passed,
    perSecond: latencies.length / Math.min(passed, seconds),
    p50: at(0.5),
    p90: at(0.9),
    p99: at(0.99),
    max: at(1),
  }
  process.stdout.write(JSON.stringify(figures), () => process.exit(0))
}

for (let i = 0; i < connections; i += 1) new Connection()
if (rate !== undefined) tick(rate)
const GRACE_MS = 3_000
const check = setInterval(() => {
  const now = performance.now()
  if (now < endsAt || (inFlight + overdue.length > 0 && now < endsAt + GRACE_MS)) return
  clearInterval(check)
  report()
}, 5)

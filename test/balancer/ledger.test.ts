import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import t, { type Test } from 'tap'
import type { BalancerOptions } from '#balancer'
import type { LocalApp } from '#balancer/transports/local-target.js'
import { until } from '../helpers/deadline.js'
import { FakeTarget } from '../helpers/fake-target.js'
import { RawConnection, rawExchange, requestBytes } from '../helpers/raw-http.js'
import { RunningBalancer } from '../helpers/running-balancer.js'
import { echoWebSocket, UPGRADE_HEADERS } from '../helpers/websocket.js'

/** Clients that connect together and then leave. */
const CLIENTS = 100
const TOTAL = 10_000

/** An app that finishes only requests for `/page`. Counts what is open, to compare with the balancer's ledger. */
class Unfinished implements LocalApp {
  arrived = 0
  aborted = 0
  sockets = 0
  closedSockets = 0

  readonly upgrades = (): boolean => true

  readonly handleRequest = (request: IncomingMessage, response: ServerResponse): void => {
    if (request.url === '/page') return void response.end('a page')
    this.arrived += 1
    response.once('close', () => (this.aborted += 1))
    request.resume()
    if (request.url === '/half') response.write('the first half')
  }

  readonly handleUpgrade = (request: IncomingMessage, socket: Duplex, head: Buffer): void => {
    this.sockets += 1
    socket.once('close', () => (this.closedSockets += 1))
    if (request.url !== '/silent') echoWebSocket(request, socket, head)
    else
      socket
        .on('error', () => socket.destroy())
        .on('end', () => socket.end())
        .resume()
  }
}

/** A balancer with its app. */
interface Stage {
  running: RunningBalancer
  app: Unfinished
  target?: FakeTarget
}

async function behindASocket(t: Test, options: Partial<BalancerOptions> = {}): Promise<Required<Stage>> {
  const app = new Unfinished()
  const target = await FakeTarget.start(t, 'a', app.handleRequest, { onUpgrade: app.handleUpgrade })
  return { running: await RunningBalancer.start(t, [target], options), app, target }
}

async function inThisProcess(t: Test): Promise<Stage> {
  const [running, app] = [await RunningBalancer.start(t), new Unfinished()]
  running.balancer.setLocal('a', app)
  return { running, app }
}

type Departure = 'reset' | 'end' | 'destroy'

const ANYHOW: readonly Departure[] = ['reset', 'end', 'destroy']

/** A stage of a request at which its client leaves. */
interface Moment {
  name: string
  /** The requests of each client. */
  sends: string
  /** Whether the requests of all `CLIENTS` are at that stage. */
  reached: (stage: Stage, clients: readonly RawConnection[]) => boolean
  departures?: readonly Departure[]
}

const GET = requestBytes('GET /silent')
const HALF = requestBytes('GET /half')
const POST = requestBytes('POST /silent', ['Content-Length: 1000']) + 'abc'
const HELD_POST = requestBytes('POST /silent', ['Content-Length: 1000', 'Idempotency-Key: 1']) + 'abc'
const UPGRADE = requestBytes('GET /', UPGRADE_HEADERS)
const UNANSWERED_UPGRADE = requestBytes('GET /silent', UPGRADE_HEADERS)

const halfAnswered = (_stage: Stage, clients: readonly RawConnection[]): boolean =>
  clients.every(({ unread }) => unread.includes('the first half'))
const arrived = ({ app }: Stage): boolean => app.arrived === CLIENTS
const upgraded = ({ running }: Stage): boolean => running.balancer.ledger().upgraded === CLIENTS
const waiting = ({ running }: Stage): boolean => running.balancer.ledger().waiting === CLIENTS

const inFlight: Moment[] = [
  { name: 'before the answer', sends: GET, reached: arrived },
  { name: 'in the middle of the answer', sends: HALF, reached: halfAnswered },
  { name: 'in the middle of the answer, with another request behind it', sends: HALF + GET, reached: halfAnswered },
  { name: 'in the middle of the upload', sends: POST, reached: arrived },
  { name: 'in the middle of an upload that is held, behind another', sends: HALF + HELD_POST, reached: halfAnswered },
  { name: 'upgraded', sends: UPGRADE, reached: upgraded },
]

// A client that ends only its own direction may still want the answer, so it is not among the departures.
const handshake: Moment = {
  name: 'in the middle of the handshake',
  sends: UNANSWERED_UPGRADE,
  reached: ({ app }) => app.sockets === CLIENTS,
  departures: ['reset'],
}

const withoutTarget: Moment[] = [
  { name: 'a request', sends: GET, reached: waiting },
  { name: 'an upload', sends: POST, reached: waiting },
  { name: 'a handshake', sends: UPGRADE, reached: waiting, departures: ['reset'] },
]

let requests = 0

async function leaveAt(stage: Stage, { name, sends, reached, departures = ANYHOW }: Moment): Promise<void> {
  const clients = await connected(stage.running)
  for (const client of clients) send(client, sends)
  await until(() => reached(stage, clients), `all clients to be ${name}`)
  for (const [i, client] of clients.entries()) leave(client, departures[i % departures.length]!)
  await settled(stage)
}

function connected({ port }: RunningBalancer): Promise<RawConnection[]> {
  return Promise.all(Array.from({ length: CLIENTS }, () => RawConnection.open(port)))
}

function send(client: RawConnection, bytes: string): void {
  client.write(bytes)
  requests += bytes.split(' HTTP/1.1').length - 1
}

function leave({ socket }: RawConnection, how: Departure): void {
  if (how === 'reset') socket.resetAndDestroy()
  else socket[how]()
}

/** Waits until nothing is open by the counts of the balancer and of the app. */
async function settled({ running, app, target }: Stage): Promise<void> {
  await running.quiet()
  const allClosed = (): boolean =>
    app.aborted === app.arrived && app.closedSockets === app.sockets && (target?.open ?? 0) === 0
  await until(allClosed, `everything at the app to end: ${JSON.stringify(app)}`)
  app.arrived = app.aborted = app.sockets = app.closedSockets = 0
}

/** The target is still ready and takes other requests. */
async function servesOn(t: Test, { running }: Stage): Promise<void> {
  t.equal(running.states.get('a'), 'ready')
  t.match(await rawExchange(running.port, requestBytes('GET /page', ['Connection: close'])), { status: 200 })
  t.same(running.balancer.ledger(), { inFlight: 0, upgraded: 0, waiting: 0 })
}

void t.test('nothing stays open after the clients have left', async t => {
  for (const [where, start, moments] of [
    ['at a target', behindASocket, [...inFlight, handshake]],
    ['at the app in this process', inThisProcess, inFlight],
  ] as const) {
    await t.test(`nothing stays open ${where} after the clients have left`, async t => {
      const stage = await start(t)
      for (const moment of moments) {
        await t.test(`nothing stays open after a client that leaves: ${moment.name}`, () => leaveAt(stage, moment))
      }
      await servesOn(t, stage)
    })
  }

  await t.test('nothing stays open after clients that leave while they wait for a target', async t => {
    const stage: Stage = { running: await RunningBalancer.start(t, [], { holdMs: 60_000 }), app: new Unfinished() }
    for (const moment of withoutTarget) {
      await t.test(`nothing stays open after a client that leaves: ${moment.name}`, () => leaveAt(stage, moment))
    }
    stage.running.balancer.setLocal('a', stage.app)
    await servesOn(t, stage)
    t.equal(stage.app.arrived, 0, 'requests whose client has left do not reach a later target')
  })

  await t.test('nothing stays open after clients that leave a full target, or the queue for it', async t => {
    const maxInFlight = CLIENTS / 4
    const stage = await behindASocket(t, { maxInFlight, overloadWaitMs: 60_000, holdMs: 60_000 })
    // All have one address, which gets half of the places.
    const inside = Math.ceil(maxInFlight / 2)
    const full = ({ running }: Stage): boolean => running.balancer.ledger().waiting === CLIENTS - inside
    await leaveAt(stage, { name: 'in a place, or waiting', sends: GET, reached: full })
    await servesOn(t, stage)
  })

  await t.test('nothing stays open after clients that leave at any moment', async t => {
    const stages = [await behindASocket(t), await inThisProcess(t)]
    const single = [GET, HALF, POST, HELD_POST, UPGRADE]
    const kinds = [...single, ...single.map(last => HALF + GET.repeat(8) + last)]
    for (let round = 0; requests < TOTAL; round += 1) {
      const stage = stages[round % stages.length]!
      const clients = await connected(stage.running)
      for (const [i, client] of clients.entries()) send(client, kinds[i % kinds.length]!)
      for (const client of clients) {
        leave(client, 'reset')
        await new Promise(resolve => setImmediate(resolve))
      }
      await settled(stage)
    }
    for (const stage of stages) await servesOn(t, stage)
  })

  t.ok(requests >= TOTAL, `${requests} requests`)
})

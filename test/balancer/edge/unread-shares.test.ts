import type { Socket } from 'node:net'
import t, { type Test } from 'tap'
import { SystemQueues, peerKey } from '#balancer/edge/system-queues.js'
import { UnreadShares } from '#balancer/edge/unread-shares.js'
import { ClientLedger } from '#balancer/ledger/client-ledger.js'
import type { ClientAccount } from '#balancer/ledger/client-account.js'
import { until } from '../../helpers/deadline.js'
import { FakeTarget } from '../../helpers/fake-target.js'
import { RawConnection, requestBytes } from '../../helpers/raw-http.js'
import { RunningBalancer } from '../../helpers/running-balancer.js'

const MEGABYTE = 1024 ** 2
const LARGE = Buffer.alloc(12 * MEGABYTE, 'x')
const MEDIUM = LARGE.subarray(0, 1.5 * MEGABYTE)
const BODIES: Record<string, Buffer | string> = { '/small': 'small', '/medium': MEDIUM }
const HOG = '127.0.0.2'

/** A connection with the bytes that the system has taken of it. */
class FakeSocket {
  writableLength = 0
  corked = 0
  passedOn = 0
  isReset = false
  _handle = { bytesWritten: 0, writeQueueSize: 0 }

  cork(): void {
    this.corked += 1
  }

  uncork(): void {
    this.corked -= 1
    if (this.corked === 0 && this.writableLength > 0) this.passedOn += 1
  }

  destroy(): void {
    this.isReset = true
  }
}

/** A system whose queues the test sets. */
class World {
  readonly sockets: FakeSocket[] = []
  readonly queues = new Map<string, number>()
  readonly ofClosed = new Map<string, number>()
  memory = 0
  asked = 0
  looked = 0
  knows = true
  isProxy = false
  isSilent = false
  readonly account: ClientAccount
  readonly #shares: UnreadShares

  constructor(t: Test, unreadShareMs: number) {
    const many = (): number => 1_000
    const capacities = { connections: many, places: many, polls: many, parsedBytes: many, heldBytes: many }
    this.account = new ClientLedger(capacities).accountOf(HOG)
    const readers = {
      sockets: () => this.sockets as unknown as Socket[],
      readerAt: () => ({ account: this.account, isProxy: this.isProxy }),
      readerOf: (socket: Socket) => {
        const port = 1 + this.sockets.indexOf(socket as unknown as FakeSocket)
        return { peer: { address: HOG, port, protocol: 'http' as const }, account: this.account, isProxy: this.isProxy }
      },
    }
    const system = {
      memory: () => {
        this.looked += 1
        return this.knows ? this.memory : undefined
      },
      queues: () => {
        this.asked += 1
        if (this.isSilent) return new Promise<never>(() => undefined)
        return Promise.resolve(this.knows ? { ofConnections: this.queues, ofClosed: this.ofClosed } : undefined)
      },
      close: () => undefined,
    }
    this.#shares = new UnreadShares(readers, system, { unreadBytes: 1_000, unreadShareMs, minBytesPerSecond: 0 })
    this.#shares.start()
    t.teardown(() => this.#shares.stop())
  }

  /** @param queued the bytes that the system has taken */
  connection(taken: number, queued: number): FakeSocket {
    const socket = new FakeSocket()
    this.sockets.push(socket)
    this.account.connected(socket as unknown as Socket)
    this.sets(socket, taken, queued)
    return socket
  }

  /** Closes a connection. The system still has these bytes of it. */
  close(socket: FakeSocket, queued: number): void {
    const port = 1 + this.sockets.indexOf(socket)
    this.sockets.splice(port - 1, 1)
    this.queues.delete(peerKey(HOG, port))
    this.ofClosed.set(HOG, (this.ofClosed.get(HOG) ?? 0) + queued)
    this.account.disconnected(socket as unknown as Socket)
    const peer = { address: HOG, port, protocol: 'http' as const }
    const bytesWritten = socket._handle.bytesWritten
    this.#shares.left({ bytesWritten } as unknown as Socket, { peer, account: this.account, isProxy: this.isProxy })
  }

  sets(socket: FakeSocket, taken: number, queued: number): void {
    socket._handle.bytesWritten = taken
    this.queues.set(peerKey(HOG, 1 + this.sockets.indexOf(socket)), queued)
  }
}

void t.test('a client over its share is held, with what it opens later, until it has read', async t => {
  const world = new World(t, 400)
  const socket = world.connection(5_000, 600)
  world.memory = 1_000
  await until(() => socket.corked === 1, 'its answer to be held')
  const later = world.connection(0, 0)
  t.equal(later.corked, 1)
  world.sets(socket, 5_000, 400)
  await until(() => socket.corked === 0, 'its answer to go on')
  t.equal(later.corked, 0)
  world.sets(socket, 6_000, 600)
  await until(() => socket.corked === 1, 'its answer to be held again')
  world.memory = 0
  await until(() => socket.corked === 0, 'its answer to go on when nothing is short')
  t.notOk(socket.isReset)
})

void t.test('a connection over the share that makes no progress is cut', async t => {
  const world = new World(t, 40)
  const [still, moving] = [world.connection(5_000, 600), world.connection(5_000, 300)]
  world.memory = 1_000
  const move = setInterval(() => world.sets(moving, (moving._handle.bytesWritten += 10), 300), 5)
  t.teardown(() => clearInterval(move))
  await until(() => still.isReset, 'the one that stands still to be cut')
  t.notOk(moving.isReset)
})

void t.test('the system is not asked as long as little can be unread', async t => {
  const world = new World(t, 40)
  world.connection(100, 100)
  world.memory = 10_000
  await until(() => world.looked > 2, 'some checks')
  t.equal(world.asked, 0)
  world.connection(200, 0)
  await until(() => world.asked > 0, 'the system to be asked once enough was sent')
})

void t.test('unread bytes of closed connections count', async t => {
  const world = new World(t, 400)
  world.memory = 1_000
  for (let i = 0; i < 3; i += 1) world.close(world.connection(200, 200), 200)
  const next = world.connection(0, 0)
  await until(() => next.corked === 1, 'the next connection to be held')
  world.ofClosed.clear()
  await until(() => next.corked === 0, 'it to go on when all has arrived')
  t.ok(world.asked > 0)
})

void t.test('a client that could be over its share is held until the system has been asked', async t => {
  const world = new World(t, 400)
  world.isSilent = true
  world.memory = 1_000
  const socket = world.connection(600, 600)
  await until(() => socket.corked === 1, 'its answer to be held')
})

void t.test('only unread connections of a proxy are held, and only when nothing is left', async t => {
  const world = new World(t, 400)
  world.isProxy = true
  world.memory = 1_000
  const [unread, other] = [world.connection(900, 900), world.connection(100, 0)]
  await until(() => world.asked > 1, 'the system to be asked')
  t.equal(unread.corked, 0)
  world.sets(unread, 5_000, 1_100)
  await until(() => unread.corked === 1, 'its answer to be held')
  t.equal(other.corked, 0)
  t.equal(world.connection(0, 0).corked, 0)
})

void t.test('short answers go out to a client over its share, on connections that have nothing unread', async t => {
  const world = new World(t, 400)
  const [unread, other, both] = [world.connection(5_000, 600), world.connection(0, 0), world.connection(10, 10)]
  world.memory = 1_000
  await until(() => other.corked === 1, 'all to be held')
  for (const each of [unread, other, both]) each.writableLength = 5
  await until(() => other.passedOn > 0, 'the short answer to go out')
  t.strictSame([unread.passedOn, both.passedOn, other.corked], [0, 0, 1])
})

void t.test('if the system has no figures, nobody is held, and a connection that makes no progress is cut', async t => {
  const world = new World(t, 40)
  world.knows = false
  const socket = world.connection(5_000, 0)
  socket.writableLength = 100
  await until(() => socket.isReset, 'the one that stands still to be cut')
  t.equal(socket.corked, 0)
})

const LOCAL = 'an app in this process'
for (const kind of ['a target on a socket', LOCAL]) {
  const started = async (t: Test, unreadShareMs: number): Promise<RunningBalancer> => {
    const target = await FakeTarget.start(t, 'a', (request, response) => {
      response.end(BODIES[request.url ?? ''] ?? LARGE)
    })
    const options = { unreadBytes: 4 * MEGABYTE, unreadShareMs }
    const running = await RunningBalancer.start(t, kind === LOCAL ? [] : [target], options)
    if (kind !== LOCAL) return running
    running.balancer.setLocal('self', {
      handleRequest: (request, response) => void response.end(BODIES[request.url ?? ''] ?? LARGE),
      upgrades: () => false,
      handleUpgrade: () => undefined,
    })
    return running
  }
  const unread = async (
    t: Test,
    { port }: RunningBalancer,
    count: number,
    bytes = requestBytes('GET /'),
  ): Promise<RawConnection[]> => {
    const system = new SystemQueues()
    t.teardown(() => system.close())
    const hogs = await Promise.all(Array.from({ length: count }, () => RawConnection.open(port, HOG)))
    t.teardown(() => hogs.forEach(hog => hog.destroy()))
    for (const hog of hogs) {
      hog.socket.pause()
      hog.write(bytes)
    }
    const queued = async (): Promise<number> =>
      [...((await system.queues())?.ofConnections ?? [])].reduce(
        (sum, [key, n]) => sum + (key.startsWith(HOG) ? n : 0),
        0,
      )
    const closed = async (): Promise<number> => (await system.queues())?.ofClosed.get(HOG) ?? 0
    await until(async () => (await queued()) + (await closed()) > 2 * MEGABYTE, 'more to be unread than the share')
    return hogs
  }

  void t.test(`three slow downloads of one client arrive whole, from ${kind}`, async t => {
    const running = await started(t, 20_000)
    const hogs = await unread(t, running, 3)
    const polite = await running.connect()
    t.equal((await polite.write(requestBytes('GET /small')).response()).body.toString(), 'small')
    const bodies = await Promise.all(
      hogs.map(hog => {
        hog.socket.resume()
        return hog.response()
      }),
    )
    for (const { body } of bodies) t.ok(body.equals(LARGE), `${body.length} bytes`)
  })

  void t.test(`answers whose connections were closed over them count as unread, from ${kind}`, async t => {
    const running = await started(t, 20_000)
    const hogs = await unread(t, running, 6, requestBytes('GET /medium', ['Connection: close']))
    const polite = await running.connect()
    const isHeld = async (): Promise<boolean> => {
      const hog = await RawConnection.open(running.port, HOG)
      t.teardown(() => hog.destroy())
      hog.write(requestBytes('GET /long'))
      const { body } = await polite.write(requestBytes('GET /small')).response()
      return body.toString() === 'small' && hog.unread.length === 0
    }
    await until(isHeld, 'the client to get no more')
    const bodies = await Promise.all(
      hogs.map(hog => {
        hog.socket.resume()
        return hog.response()
      }),
    )
    for (const { whole, body } of bodies) t.ok(whole && body.length === MEDIUM.length)
    const next = await RawConnection.open(running.port, HOG)
    t.equal((await next.write(requestBytes('GET /small')).response()).body.toString(), 'small')
    next.destroy()
  })

  void t.test(`eight unread downloads of one client are cut beyond its share, from ${kind}`, async t => {
    const running = await started(t, 400)
    const hogs = await unread(t, running, 8)
    await until(() => running.balancer.connections <= 1, 'the others to be cut')
    const polite = await running.connect()
    t.equal((await polite.write(requestBytes('GET /small')).response()).body.toString(), 'small')
    t.ok(hogs.length > running.balancer.connections)
  })
}

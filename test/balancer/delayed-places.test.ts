import type { IncomingMessage, ServerResponse } from 'node:http'
import t from 'tap'
import { until } from '../helpers/deadline.js'
import { RawConnection, requestBytes } from '../helpers/raw-http.js'
import { RunningBalancer } from '../helpers/running-balancer.js'

const HOG = '127.0.0.2'
const CONNECTIONS = 32
const WORK_MS = 30
/** In each of so many turns the hog gets no more than so many. */
const IN_A_ROW = 5
const FEW = 3
const WORK = requestBytes('POST /work', [], 'a body')
const PAGE = requestBytes('GET /page')

const KINDS = ['within its call', 'once it has read the body', 'while its answer streams'] as const
/** The pieces of an answer that streams. */
const PIECES = 4

/** An app that is busy for a while with each request for `/work`, and answers then. */
class BusyApp {
  works = 0

  constructor(private readonly kind: (typeof KINDS)[number]) {}

  async serve(t: Parameters<typeof RunningBalancer.start>[0]): Promise<RunningBalancer> {
    const running = await RunningBalancer.start(t, [], { holdMs: 10_000 })
    const handleRequest = (request: IncomingMessage, response: ServerResponse): void => {
      const answer = (): void => {
        if (request.url === '/work') this.#work()
        response.end('done')
      }
      const stream = (left = PIECES): void => {
        if (left === 0) return void response.end()
        this.#work()
        response.write('a piece')
        setImmediate(stream, left - 1)
      }
      request.resume()
      if (this.kind === 'while its answer streams' && request.url === '/work') {
        response.flushHeaders()
        setImmediate(stream)
      } else if (this.kind !== 'once it has read the body') answer()
      else request.once('end', answer)
    }
    running.balancer.setLocal('a', { handleRequest, upgrades: () => false, handleUpgrade: () => undefined })
    return running
  }

  #work(): void {
    this.works += 1
    const until = performance.now() + WORK_MS
    while (performance.now() < until);
  }
}

for (const kind of KINDS) {
  void t.test(`requests of one client that keep the app busy ${kind} take turns with those of another`, async t => {
    const app = new BusyApp(kind)
    const running = await app.serve(t)
    const polite = await running.connect()
    /** How much the app did for the hog until the polite client was answered. */
    const worksBeside = async (): Promise<number> => {
      const before = app.works
      const { status } = await polite.write(PAGE).response()
      t.equal(status, 200)
      return app.works - before
    }
    await worksBeside()
    const hogs = await Promise.all(Array.from({ length: CONNECTIONS }, () => RawConnection.open(running.port, HOG)))
    t.teardown(() => hogs.forEach(each => each.destroy()))
    let isOver = false
    const statuses = new Set<number>()
    const work = async (hog: RawConnection): Promise<void> => {
      while (!isOver) statuses.add((await hog.write(WORK).response()).status)
    }
    const working = Promise.all(hogs.map(work))
    const beside: number[] = []
    const isHeldBack = async (): Promise<boolean> => {
      beside.push(await worksBeside())
      return beside.length >= IN_A_ROW && beside.slice(-IN_A_ROW).every(count => count <= FEW)
    }
    await until(isHeldBack, 'the hog to be held back')
    t.comment(`works of the hog beside each request of the other: ${beside.join()}`)
    isOver = true
    await working
    t.strictSame([...statuses], [200], 'the hog lost nothing')
  })
}

void t.test('a client that is alone is not held back', async t => {
  const app = new BusyApp('within its call')
  const running = await app.serve(t)
  const alone = await Promise.all(Array.from({ length: CONNECTIONS }, () => running.connect()))
  for (let i = 0; i < 2; i += 1) {
    const waiting: number[] = []
    const answered = alone.map(async each => {
      await each.write(WORK).response()
      waiting.push(running.balancer.ledger().waiting)
    })
    await Promise.all(answered)
    t.equal(Math.max(...waiting), 0)
  }
})

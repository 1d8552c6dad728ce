import t from 'tap'
import { TimeSlices } from '#src/services/time-slices.js'

/** A clock that only pieces of work and pauses move, and the pieces that were done, each of which takes a millisecond. */
class World {
  now = 0
  readonly got: number[] = []
  /** How long each pause was. */
  readonly pauses: number[] = []
  #next: { run: () => void; at: number } | undefined

  begin(maxWaiting = 1_000): TimeSlices<number> {
    const later = (run: () => void, ms: number): (() => void) => {
      const next = { run, at: this.now + ms }
      this.#next = next
      return () => {
        if (this.#next === next) this.#next = undefined
      }
    }
    return new TimeSlices<number>({ share: 0.5, now: () => this.now, later, maxWaiting })
  }

  readonly deliver = (receiver: number): void => {
    this.now += 1
    this.got.push(receiver)
  }

  /** Lets the time pass until the next slice is over. Returns how many deliveries it had; undefined if none is to come. */
  slice(): number | undefined {
    const next = this.#next
    if (next === undefined) return undefined
    this.#next = undefined
    this.pauses.push(next.at - this.now)
    this.now = next.at
    const before = this.got.length
    next.run()
    return this.got.length - before
  }

  /** All that are to come. */
  rest(): number[] {
    const rest: number[] = []
    for (let made = this.slice(); made !== undefined; made = this.slice()) rest.push(made)
    return rest
  }
}

const numbers = (count: number): number[] => Array.from({ length: count }, (_, i) => i)

void t.test('a few deliveries are made at once', t => {
  const world = new World()
  const slices = world.begin()
  slices.add(numbers(3), world.deliver)
  t.strictSame(world.got, numbers(3))
  t.equal(slices.waiting, 0)
  t.end()
})

void t.test('many deliveries are cut into slices, with pauses for other work, and none is lost', t => {
  const world = new World()
  world.begin().add(numbers(100), world.deliver)
  t.equal(world.got.length, 5)
  const made = world.rest()
  t.ok(Math.max(...made) <= 5, `the largest slice had ${Math.max(...made)}`)
  t.ok(Math.min(...world.pauses) >= 5, `the shortest pause was ${Math.min(...world.pauses)} ms`)
  t.strictSame(world.got, numbers(100))
  t.end()
})

void t.test('messages arrive in the order in which they came', t => {
  const world = new World()
  const slices = world.begin()
  for (const message of [100, 200, 300]) slices.add(numbers(10), receiver => world.deliver(message + receiver))
  world.rest()
  const all = [100, 200, 300].flatMap(message => numbers(10).map(receiver => message + receiver))
  t.strictSame(world.got, all)
  t.end()
})

void t.test('lines take turns, so a long one delays the others by a message each', t => {
  const world = new World()
  const slices = world.begin()
  const add = (message: number, line: string): void =>
    slices.add(numbers(10), receiver => world.deliver(message + receiver), line)
  for (const message of [100, 200, 300, 400]) add(message, 'long')
  for (const message of [500, 600]) add(message, 'short')
  world.rest()
  t.equal(world.got.length, 60)
  const order = [...new Set(world.got.map(receiver => receiver - (receiver % 100)))]
  t.strictSame(order, [100, 500, 200, 600, 300, 400])
  t.end()
})

void t.test('many small messages together take a slice, and their share of the time that it takes', t => {
  const world = new World()
  const slices = world.begin()
  for (let i = 0; i < 50; i += 1) slices.add([i], world.deliver)
  t.equal(world.got.length, 10)
  t.equal(slices.waiting, 40)
  world.rest()
  t.strictSame(world.got, numbers(50))
  t.end()
})

void t.test('after a rest there is a whole slice again', t => {
  const world = new World()
  const slices = world.begin()
  for (let i = 0; i < 3; i += 1, world.now += 1_000) slices.add(numbers(5), world.deliver)
  t.equal(world.got.length, 15)
  t.equal(world.slice(), undefined, 'nothing waited')
  t.end()
})

void t.test('when too many deliveries wait, a sender waits until enough of them are made', t => {
  const world = new World()
  const slices = world.begin(20)
  slices.add(numbers(20), world.deliver)
  t.equal(slices.waiting, 15)
  slices.add(numbers(20), world.deliver)
  t.equal(slices.waiting, 20)
  t.equal(world.got.length, 20)
  world.rest()
  t.equal(world.got.length, 40)
  t.ok(Math.max(...world.pauses) <= 10, `the longest pause was ${Math.max(...world.pauses)} ms`)
  t.end()
})

void t.test('a delivery that fails does not keep the others', t => {
  const world = new World()
  const fail = (receiver: number): void => {
    if (receiver === 0) throw new Error('gone')
    world.deliver(receiver)
  }
  t.throws(() => world.begin().add([0, 1], fail), { message: 'gone' })
  world.rest()
  t.strictSame(world.got, [1])

  const many = new World()
  t.throws(() => many.begin(5).add(numbers(20), receiver => (receiver === 0 ? fail(0) : many.deliver(receiver))))
  many.rest()
  t.strictSame(many.got, numbers(20).slice(1), 'even when too many wait')
  t.end()
})

void t.test('nothing is delivered after the end', t => {
  const world = new World()
  const slices = world.begin()
  slices.add(numbers(50), world.deliver)
  slices.stop()
  slices.add([1], world.deliver)
  t.strictSame(world.rest(), [])
  t.equal(world.got.length, 5)
  t.end()
})

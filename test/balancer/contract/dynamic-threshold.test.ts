import t from 'tap'
import { excessOf, giverTo, keptOf, LITTLE, mayTake } from '#balancer/contract/dynamic-threshold.js'

/** Clients that take and give back places, one at a time. */
class World {
  readonly held: number[]

  constructor(
    readonly capacity: number,
    clients: number,
    private readonly kept = 0,
  ) {
    this.held = Array<number>(clients).fill(0)
  }

  get free(): number {
    return this.capacity - this.held.reduce((sum, held) => sum + held, 0)
  }

  take(client: number): boolean {
    const held = this.held[client]!
    if (!mayTake(held, 1, this.free, this.kept)) return false
    this.held[client] = held + 1
    return true
  }
}

void t.test('a client alone gets half', t => {
  for (const capacity of [8, 9, 10, 512, 20_000]) {
    const world = new World(capacity, 1)
    while (world.take(0));
    t.equal(world.held[0], Math.ceil(capacity / 2))
  }
  t.end()
})

void t.test('clients that come one after the other leave something for others, if a part is kept', t => {
  for (const capacity of [128, 512]) {
    const world = new World(capacity, 12, keptOf(capacity))
    for (let client = 0; client < 10; client += 1) while (world.take(client));
    t.equal(world.held[0], capacity / 2, 'one alone gets half all the same')
    t.ok(world.free >= 2, `${world.free} of ${capacity} are left`)
    t.ok(world.take(10))
    t.notOk(world.take(10), 'the rest of them is for those that have none')
    t.ok(world.take(11))
  }
  t.end()
})

void t.test('a client that holds little is not refused while anything is free', t => {
  const world = new World(3, 2)
  for (let i = 0; i < 3; i += 1) t.ok(world.take(0))
  t.notOk(world.take(1))
  t.end()
})

void t.test('n clients that want all at once leave 1/(n+1)', t => {
  for (const hogs of [2, 3, 8, 50]) {
    const world = new World(5_100, hogs)
    for (let taken = true; taken;) {
      taken = false
      for (let hog = 0; hog < hogs; hog += 1) taken = world.take(hog) || taken
    }
    const share = 5_100 / (hogs + 1)
    t.ok(Math.abs(world.free - share) <= hogs, `${world.free} are free of ${hogs} hogs`)
    for (const held of world.held) t.ok(Math.abs(held - share) <= hogs)
  }
  t.end()
})

void t.test('in every order of coming and going something is left for a client that holds nothing', t => {
  let seed = 7
  const random = (below: number): number => {
    seed = (seed * 48_271) % 2_147_483_647
    return seed % below
  }
  for (let story = 0; story < 200; story += 1) {
    const hogs = 1 + random(8)
    const world = new World(512, hogs + 1)
    const polite = hogs
    for (let step = 0; step < 5_000; step += 1) {
      const hog = random(hogs)
      // Slow ones seldom end.
      if (random(20) === 0 && world.held[hog]! > 0) world.held[hog]! -= 1
      else world.take(hog)
    }
    // They stay as they are, and the polite one comes.
    if (!world.take(polite)) t.fail(`nothing is left beside ${hogs} hogs that hold ${world.held.join(', ')}`)
  }
  t.end()
})

void t.test('when earlier clients have left nothing, a new one gets a little from the one that has most', t => {
  const world = new World(512, 60)
  const newcomers = 30
  for (let hog = 0; hog < 60 - newcomers; hog += 1) while (world.take(hog));
  t.equal(world.free, 0)
  for (let client = 60 - newcomers; client < 60; client += 1) {
    for (;;) {
      const most = Math.max(...world.held)
      const giver = giverTo(world.held[client]!, world.held.entries())
      if (giver === undefined) break
      t.equal(world.held[giver], most)
      world.held[giver] = most - 1
      t.ok(world.take(client))
    }
    t.equal(world.held[client], LITTLE)
  }
  t.equal(giverTo(0, [['a', LITTLE]]), undefined, 'a client with a little keeps it')
  t.end()
})

void t.test('after taking back, each client holds as much as is free', t => {
  const held = new Map([
    ['a', 80],
    ['b', 15],
    ['c', 5],
  ])
  const excess = excessOf(held, 100)
  t.strictSame([...excess.keys()], ['a'])
  t.equal(80 - excess.get('a')!, 40)
  t.strictSame(excessOf(new Map([['a', 50]]), 100), new Map())
  t.strictSame(excessOf(new Map(), 100), new Map())
  const over = excessOf(
    new Map([
      ['a', 300],
      ['b', 200],
    ]),
    90,
  )
  t.equal(300 - over.get('a')!, 30)
  t.equal(200 - over.get('b')!, 30)
  t.end()
})

import t from 'tap'
import {
  planSides,
  type DesiredSides,
  type ObservedSide,
  type SideAction,
  type SideHistory,
} from '#src/primary/plan/side-plan.js'

const limits = { provenMs: 10_000, stopTimeoutMs: 30_000 }

/** Processes that do what they are told, a clock, and no machine. */
class World {
  now = 1_000
  desired: DesiredSides = { version: 1, wanted: new Map([['worker', 1]]) }
  sides: ObservedSide[] = []
  #history: SideHistory = new Map()
  #nextId = 1

  pass(): readonly SideAction[] {
    this.sides = this.sides.map(side =>
      side.state === 'exited' ? side : { ...side, ranMs: this.now - side.startedAt },
    )
    const { actions, history } = planSides(this.desired, this.sides, this.#history, limits, this.now)
    this.#history = history
    for (const action of actions) this.#carryOut(action)
    return actions
  }

  /** It ends, asked or not. */
  exit(index = 0): void {
    this.sides = this.sides.map((side, i) => (i === index ? { ...side, state: 'exited' as const } : side))
  }

  #carryOut(action: SideAction): void {
    if (action.type === 'start') {
      const id = this.#nextId++
      const { at, version } = action
      const times = { startedAt: this.now, ranMs: 0, killAt: undefined }
      this.sides.push({ id, ...at, version, state: 'running', asked: false, ...times })
    } else if (action.type === 'stop') {
      const killAt = this.now + action.deadlineMs
      this.#change(action.id, { state: 'stopping', asked: true, killAt })
    } else if (action.type === 'kill') this.#change(action.id, { killAt: undefined })
    else if (action.type === 'forget') this.sides = this.sides.filter(({ id }) => id !== action.id)
  }

  #change(id: number, change: Partial<ObservedSide>): void {
    this.sides = this.sides.map(side => (side.id === id ? { ...side, ...change } : side))
  }
}

const kinds = (actions: readonly SideAction[]): string[] => actions.map(({ type }) => type)

void t.test('each process that is wanted gets a place of its own', t => {
  const world = new World()
  world.desired = { version: 1, wanted: new Map(Object.entries({ worker: 2, mailer: 1, off: 0 })) }
  world.pass()
  t.strictSame(
    world.sides.map(({ name, place }) => `${name}.${place}`),
    ['worker.0', 'worker.1', 'mailer.0'],
  )
  t.strictSame(kinds(world.pass()), ['wait'], 'nothing more is to be done')
  t.end()
})

void t.test('a new version starts only when the old process has ended', t => {
  const world = new World()
  world.pass()
  world.desired = { ...world.desired, version: 2 }
  t.match(world.pass(), [{ type: 'stop', deadlineMs: 30_000 }])
  t.strictSame(kinds(world.pass()), ['wait'], 'it is waited for')
  world.now += 29_999
  t.strictSame(kinds(world.pass()), ['wait'])
  world.now += 1
  t.strictSame(kinds(world.pass()), ['kill'])
  t.strictSame(kinds(world.pass()), [], 'it is killed once')
  world.exit()
  t.match(world.pass(), [{ type: 'forget' }, { type: 'start', version: 2 }], 'an end that was asked for is no loss')
  t.end()
})

void t.test('a process that has lasted is replaced at once, and one that ends early after a growing pause', t => {
  const world = new World()
  world.pass()
  world.now += limits.provenMs
  world.pass()
  world.exit()
  t.match(world.pass(), [{ type: 'lose', verdict: { kind: 'now' } }, { type: 'forget' }, { type: 'start' }])
  const pauses: number[] = []
  for (let i = 0; i < 4; i += 1) {
    world.exit()
    const [lost] = world.pass()
    if (lost?.type !== 'lose') return t.fail('no loss')
    pauses.push(lost.verdict.delayMs)
    t.match(world.pass(), [{ type: 'wait', until: world.now + lost.verdict.delayMs }])
    world.now += lost.verdict.delayMs
    t.match(world.pass(), [{ type: 'start' }])
  }
  t.strictSame(pauses, [200, 400, 800, 1_600])
  t.end()
})

void t.test('a crash loop parks the places, until a new version comes', t => {
  const world = new World()
  world.desired = { version: 1, wanted: new Map([['worker', 4]]) }
  world.pass()
  const verdicts: string[] = []
  while (world.sides.length > 0) {
    for (const index of world.sides.keys()) world.exit(index)
    const due = [0]
    for (const lost of world.pass()) {
      if (lost.type !== 'lose') continue
      verdicts.push(lost.verdict.kind)
      if (lost.verdict.kind === 'backoff') due.push(lost.verdict.delayMs)
    }
    world.now += Math.max(...due)
    world.pass()
  }
  t.equal(verdicts.indexOf('park'), 9, 'ten early exits within a minute')
  world.desired = { ...world.desired, version: 2 }
  t.strictSame(
    world.pass().map(({ type }) => type),
    ['start', 'start', 'start', 'start'],
  )
  t.end()
})

void t.test('if fewer processes are wanted, those with the highest numbers end', t => {
  const world = new World()
  world.desired = { version: 1, wanted: new Map([['worker', 3]]) }
  world.pass()
  world.desired = { version: 1, wanted: new Map([['worker', 1]]) }
  t.match(
    world.pass().filter(({ type }) => type === 'stop'),
    [{ id: 2 }, { id: 3 }],
  )
  t.end()
})

void t.test('a shutdown ends all processes, shortens longer deadlines, and starts nothing', t => {
  const world = new World()
  world.desired = { version: 1, wanted: new Map([['worker', 2]]) }
  world.pass()
  world.desired = { version: 1, wanted: new Map([['worker', 1]]) }
  world.pass()
  world.desired = { ...world.desired, shutdown: { cutAt: world.now + 500, graceMs: 100 } }
  t.match(
    world.pass().filter(({ type }) => type === 'stop'),
    [{ id: 1, deadlineMs: 500 }],
  )
  world.now += 500
  t.strictSame(kinds(world.pass()), ['kill', 'kill'])
  world.exit(0)
  world.exit(1)
  t.strictSame(kinds(world.pass()), ['forget', 'forget'])
  t.strictSame(kinds(world.pass()), [])
  t.end()
})

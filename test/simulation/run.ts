/**
 * Runs stories of the plan beyond those of the suite, or one again.
 *
 *   npm run simulate -- --seeds 100000 --from 5001
 *   npm run simulate -- --seed 1031      prints its whole story
 */
import { parseArgs } from 'node:util'
import { plan } from '#src/primary/plan/plan.js'
import { World } from './world.js'

const { values } = parseArgs({
  options: {
    seed: { type: 'string' },
    seeds: { type: 'string', default: '50000' },
    from: { type: 'string', default: '1' },
  },
})

const say = (line: string): void => void process.stdout.write(`${line}\n`)

/** @returns whether all promises were kept */
function tell(seed: number, whole: boolean): boolean {
  const world = new World(seed, plan)
  try {
    world.run()
    if (whole) for (const line of world.story) say(line)
    return true
  } catch (error) {
    if (whole) for (const line of world.story) say(line)
    say((error as Error).message)
    return false
  }
}

if (values.seed !== undefined) process.exitCode = tell(Number(values.seed), true) ? 0 : 1
else {
  const from = Number(values.from)
  const seeds = Number(values.seeds)
  let broken = 0
  for (let seed = from; seed < from + seeds; seed++) if (!tell(seed, false)) broken += 1
  say(`${seeds} stories, ${broken} of which broke a promise`)
  process.exitCode = broken === 0 ? 0 : 1
}
